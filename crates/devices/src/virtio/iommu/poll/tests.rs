use std::time::Duration;

use super::{LONGEST, PENALTY, PollMode, START, Window};

const SOON: Duration = LONGEST;
const LATE: Duration = Duration::from_millis(5);

#[test]
fn the_window_opens_when_kicks_come_soon_and_closes_when_they_come_late() {
    let mut window = Window::new(PollMode::Auto, 2);
    assert_eq!(window.length(), Duration::ZERO, "it starts closed");
    let mut lengths = Vec::new();
    for _ in 0..8 {
        window.woken(SOON);
        lengths.push(window.length());
    }
    assert_eq!(lengths[0], START);
    assert!(lengths.is_sorted() && lengths[7] == LONGEST, "{lengths:?}");
    for _ in 0..8 {
        window.woken(LATE);
    }
    assert_eq!(window.length(), Duration::ZERO);
}

#[test]
fn a_worker_that_shares_its_processor_does_not_look_for_a_while() {
    let mut window = Window::new(PollMode::Auto, 2);
    window.woken(SOON);
    window.ran(LATE * 4 / 5, LATE);
    assert!(!window.length().is_zero(), "the kernel's own errands count for nothing");
    window.ran(LATE / 2, LATE);
    let closed = (0..PENALTY).take_while(|_| {
        let closed = window.length().is_zero();
        window.woken(SOON);
        closed
    });
    assert_eq!(closed.count(), PENALTY as usize);
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
