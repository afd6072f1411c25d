use std::time::Duration;

use super::{LONGEST, PENALTY, PollMode, START, TRY, Window};

const SOON: Duration = LONGEST;
const LATE: Duration = Duration::from_millis(5);

#[test]
fn the_window_opens_when_kicks_come_soon_and_closes_when_they_come_late() {
    let mut window = Window::new(PollMode::Auto, 2);
    assert_eq!(window.length(), Duration::ZERO, "it starts closed");
    let mut lengths = Vec::new();
    for _ in 0..12 {
        window.woken(SOON);
        lengths.push(window.length());
    }
    let opened = lengths.iter().position(|length| !length.is_zero());
    assert_eq!(opened.map(|at| lengths[at]), Some(START));
    assert!(lengths.is_sorted() && lengths[11] == LONGEST, "{lengths:?}");
    for _ in 0..8 {
        window.woken(LATE);
    }
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
        let mut window = Window::new(PollMode::Auto, 2);
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
    let mut window = Window::new(PollMode::Auto, 2);
    let answer = |window: &mut Window| next(window, gap, wake_up).0;
    let learning = (0..2 * TRY).filter(|_| !answer(&mut window)).count();
    assert_eq!(learning, TRY as usize);
    assert!((0..100).all(|_| answer(&mut window)), "each request is found by looking");
}

#[test]
fn a_worker_that_shares_its_processor_does_not_look_for_a_while() {
    let mut window = Window::new(PollMode::Auto, 2);
    let open = |window: &mut Window| (0..8).for_each(|_| window.woken(SOON));
    open(&mut window);
    window.ran(LATE * 4 / 5, LATE);
    assert!(!window.length().is_zero(), "the kernel's own errands count for nothing");
    window.ran(LATE / 2, LATE);
    let closed = (0..PENALTY).take_while(|_| {
        let closed = window.length().is_zero();
        window.woken(SOON);
        closed
    });
    assert_eq!(closed.count(), PENALTY as usize);
    open(&mut window);
    assert!(!window.length().is_zero(), "it opens again");
}

#[test]
fn no_window_where_nobody_wants_one_or_there_is_one_processor() {
    for (mode, processors) in [(PollMode::Off, 8), (PollMode::Auto, 1)] {
        let mut window = Window::new(mode, processors);
        window.woken(SOON);
        assert_eq!(window.length(), Duration::ZERO, "{mode:?} on {processors}");
    }
}

#[test]
fn a_fixed_window_follows_nobody() {
    let length = Duration::from_micros(70);
    let mut window = Window::new(PollMode::Fixed(length), 1);
    window.woken(LATE);
    window.ran(Duration::ZERO, LATE);
    assert_eq!(window.length(), length);
}
