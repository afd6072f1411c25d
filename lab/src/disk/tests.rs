//! The pattern is the same in every build and nowhere the same within itself.

use std::collections::BTreeSet;

use super::pattern;

#[test]
fn no_two_pages_of_the_pattern_are_equal() {
    let bytes = pattern(1 << 20);
    let pages: BTreeSet<_> = bytes.chunks(4096).collect();
    assert_eq!(pages.len(), 256);
}

#[test]
fn the_pattern_is_fixed_and_of_the_length_asked_for() {
    let bytes = pattern(13);
    assert_eq!(bytes, [160, 195, 7, 196, 104, 119, 180, 56, 18, 164, 34, 13, 235]);
    assert_eq!(pattern(4096)[..13], bytes);
}
