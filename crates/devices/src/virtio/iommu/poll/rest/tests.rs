//! Which pauses are taken.

use std::time::Instant;

use super::{LONGEST, is_short};

#[test]
fn a_pause_that_takes_longer_than_an_instruction_is_left_out() {
    assert!(is_short(|| ()));
    assert!(!is_short(|| {
        let begun = Instant::now();
        while begun.elapsed() < 10 * LONGEST {}
    }));
}
