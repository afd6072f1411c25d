//! Which pages are tried.

use data_model::Span;

use super::pages;
use crate::random::Random;

#[test]
fn every_edge_is_tried_from_both_sides_and_each_page_once() {
    let allowed = [Span::new(0, 0x7ff_ffff).unwrap(), Span::new(0x810_0000, (1 << 48) - 1).unwrap()];
    let reserved = [Span::new(0x800_0000, 0x80f_ffff).unwrap()];
    let tried = pages(&allowed, &reserved, 0x1000, &mut Random::new(1));
    let starts: Vec<u64> = tried.iter().map(Span::start).collect();
    assert!(starts.is_sorted_by(|one, two| one < two));
    let edges = [0, 0x7ff_f000, 0x800_0000, 0x809_0000, 0x80f_f000, 0x810_0000, (1 << 48) - 0x1000, 1 << 48];
    for start in edges.into_iter().chain([u64::MAX - 0xfff]) {
        assert!(starts.contains(&start), "{start:#x}");
    }
}
