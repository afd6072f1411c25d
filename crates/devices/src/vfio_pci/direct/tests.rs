//! Which pages may be mapped.

use data_model::Span;

use super::direct_areas;

fn spans(list: &[(u64, u64)]) -> Vec<Span> {
    list.iter().map(|(start, last)| Span::new(*start, *last).unwrap()).collect()
}

#[test]
fn whole_pages_are_mapped_but_for_those_that_a_hole_touches() {
    type Spans = &'static [(u64, u64)];
    let cases: [(u64, Spans, Spans, Spans); 9] = [
        (0x1000, &[(0, 0x3fff)], &[], &[(0, 0x3fff)]),
        (0x1000, &[(0, 0x3fff)], &[(0x2000, 0x23ff), (0x3000, 0x3007)], &[(0, 0x1fff)]),
        (0x1000, &[(0, 0x3fff)], &[(0x1ff8, 0x2007)], &[(0, 0xfff), (0x3000, 0x3fff)]),
        (0x1_0000, &[(0, 0x3fff)], &[], &[]),
        (0x1_0000, &[(0, 0x3_ffff)], &[(0x1_2000, 0x1_2007)], &[(0, 0xffff), (0x2_0000, 0x3_ffff)]),
        (0x1000, &[(0x800, 0x27ff)], &[], &[(0x1000, 0x1fff)]),
        (0x1000, &[(0, 0x7ff)], &[], &[]),
        (0x1000, &[(0, 0xfff), (0x2000, 0x2fff)], &[(0x2000, 0x200f)], &[(0, 0xfff)]),
        (0x1000, &[(0, u64::MAX)], &[], &[]),
    ];
    for (page, mappable, holes, expected) in cases {
        assert_eq!(direct_areas(&spans(mappable), &spans(holes), page), spans(expected), "{mappable:x?}");
    }
}
