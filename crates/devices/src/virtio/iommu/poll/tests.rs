//! Where the worker looks, and where it does not.

use std::time::Duration;

use super::{JUDGED, LIKELY, LONGEST, LONGEST_PAUSE, PAUSE, PollMode, Rest, SHORTEST, TRY, Window, cost};

const SOON: Duration = SHORTEST;
const LATE: Duration = JUDGED;

/// Where a wake-up costs nothing that could be measured.
fn window(mode: PollMode, processors: u32) -> Window {
    Window::new(mode, Duration::ZERO, processors)
}

#[test]
fn the_worker_looks_once_kicks_have_come_soon_and_not_once_it_has_looked_in_vain() {
    let mut window = window(PollMode::Auto, 2);
    assert_eq!(window.length(), Duration::ZERO, "it starts closed");
    let looks = |window: &mut Window, idle| {
        window.woken(idle);
        !window.length().is_zero()
    };
    // Each sequence of gaps learns for itself, and the first ones are not those of a row of short ones.
    let opened = (0..12).position(|_| looks(&mut window, SOON));
    assert_eq!(opened, Some(3 + usize::from(LIKELY) - 1));
    assert!((0..12).any(|_| !looks(&mut window, LATE)));
    (0..8).for_each(|_| window.woken(LATE));
    assert_eq!(window.length(), Duration::ZERO);
}

/// The next request comes after `gap`: whether a look at the ring finds it, and for how long the worker is ready to look. A
/// kick takes `wake_up` to be heard.
fn next(window: &mut Window, gap: Duration, wake_up: Duration) -> (bool, Duration) {
    let length = window.length();
    let found = gap <= length;
    if found {
        window.found()
    } else {
        window.woken(gap + wake_up)
    }
    (found, length)
}

#[test]
fn the_worker_learns_where_in_a_pattern_to_look() {
    let short = Duration::from_micros(60);
    for (name, pattern) in [
        ("a read: unmap and map, then the disk", &[short, LATE][..]),
        ("two buffers at once", &[short, short, short, LATE]),
        ("nothing but maps", &[short]),
        ("always far apart", &[LATE]),
    ] {
        let mut window = window(PollMode::Auto, 2);
        let mut looks = [0; 2];
        for round in 0..40 {
            for (at, &gap) in pattern.iter().enumerate() {
                let (found, length) = next(&mut window, gap, Duration::ZERO);
                if round >= 20 && gap == short {
                    assert!(found, "{name}, gap {at}");
                }
                looks[usize::from(found)] += u32::from(round >= 20 && !length.is_zero());
            }
        }
        let longs = 20 * pattern.iter().filter(|&&gap| gap != short).count();
        assert!(looks[0] as usize <= longs / 8, "{name}: {looks:?} looks in vain and not");
    }
}

#[test]
fn a_gap_that_a_slow_wake_up_hides_is_found_out() {
    let (gap, wake_up) = (Duration::from_micros(50), Duration::from_millis(1));
    let mut window = window(PollMode::Auto, 2);
    let answer = |window: &mut Window| next(window, gap, wake_up).0;
    let learning = (0..2 * TRY).filter(|_| !answer(&mut window)).count();
    assert_eq!(learning, TRY as usize);
    assert!((0..100).all(|_| answer(&mut window)), "each request is found by looking");
}

/// Time until the worker looks again, in steps of [`SOON`].
fn pause(window: &mut Window) -> Duration {
    let mut paused = Duration::ZERO;
    while window.length().is_zero() && paused <= LONGEST_PAUSE {
        window.woken(SOON);
        paused += SOON;
    }
    paused
}

#[test]
fn a_worker_that_shares_its_processor_does_not_look_for_a_while() {
    let mut window = window(PollMode::Auto, 2);
    (0..8).for_each(|_| window.found());
    window.ran(LATE * 4 / 5, LATE);
    assert!(!window.length().is_zero(), "the kernel's own errands count for nothing");
    window.ran(LATE / 8, LATE / 4);
    assert!(!window.length().is_zero(), "a moment says nothing");
    (0..3).for_each(|_| window.ran(LATE / 8, LATE / 4));
    assert_eq!(pause(&mut window), PAUSE);
    (0..8).for_each(|_| window.found());
    assert!(!window.length().is_zero(), "it looks again");
}

#[test]
fn a_worker_that_goes_on_sharing_pauses_for_longer_each_time_and_begins_anew_after_a_good_time() {
    let mut window = window(PollMode::Auto, 2);
    let mut shared = |good: bool| {
        (0..8).for_each(|_| window.found());
        window.ran(if good { LATE } else { LATE / 2 }, LATE);
        pause(&mut window)
    };
    assert_eq!([false; 4].map(&mut shared), [1, 2, 4, 8].map(|times| times * PAUSE));
    assert_eq!([true, false].map(&mut shared), [Duration::ZERO, PAUSE]);
    assert_eq!((0..12).map(|_| shared(false)).max(), Some(LONGEST_PAUSE));
}

#[test]
fn a_look_lasts_as_long_as_what_it_saves() {
    let (gap, slow) = (SHORTEST * 3, SHORTEST * 5);
    for (cost, found) in [(Duration::ZERO, false), (slow, true)] {
        let mut window = Window::new(PollMode::Auto, cost, 2);
        (0..40).for_each(|_| _ = next(&mut window, gap, cost));
        assert_eq!(next(&mut window, gap, cost).0, found, "a kick costs {cost:?}");
    }
    for (cost, length) in [(Duration::ZERO, SHORTEST), (slow, slow), (Duration::from_secs(1), LONGEST)] {
        let mut window = Window::new(PollMode::Auto, cost, 2);
        (0..8).for_each(|_| window.found());
        assert_eq!(window.length(), length, "a kick costs {cost:?}");
    }
    assert!(!cost(Rest::NONE).is_zero(), "it was measured");
}

#[test]
fn no_window_where_nobody_wants_one_or_there_is_one_processor() {
    for (mode, processors) in [(PollMode::Off, 8), (PollMode::Auto, 1)] {
        let mut window = window(mode, processors);
        window.woken(SOON);
        assert_eq!(window.length(), Duration::ZERO, "{mode:?} on {processors}");
    }
}

#[test]
fn a_fixed_window_follows_nobody() {
    let length = Duration::from_micros(70);
    let mut window = window(PollMode::Fixed(length), 1);
    window.woken(LATE);
    window.ran(Duration::ZERO, LATE);
    assert_eq!(window.length(), length);
}
