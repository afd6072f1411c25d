use proptest::prelude::*;

use super::Span;

fn span(start: u64, last: u64) -> Span {
    Span::new(start, last).unwrap()
}

#[test]
fn reversed_ends_are_refused() {
    assert_eq!(Span::new(1, 0), None);
    assert!(Span::new(0, 0).is_some());
    assert!(Span::new(u64::MAX, u64::MAX).is_some());
}

#[test]
fn lengths_at_the_edges() {
    assert_eq!(Span::from_len(0, 0), None);
    assert_eq!(Span::from_len(u64::MAX, 1), Some(span(u64::MAX, u64::MAX)));
    assert_eq!(Span::from_len(u64::MAX, 2), None);
    assert_eq!(Span::ALL.len(), None);
    assert_eq!(Span::ALL.len_wide(), 1 << 64);
    assert_eq!(span(1, u64::MAX).len(), Some(u64::MAX));
}

#[test]
fn alignment_counts_the_last_byte() {
    assert!(span(0, 0xfff).is_aligned(0x1000));
    assert!(!span(0, 0x1000).is_aligned(0x1000));
    assert!(!span(1, 0xfff).is_aligned(0x1000));
    assert!(span(u64::MAX - 0xfff, u64::MAX).is_aligned(0x1000));
    assert!(Span::ALL.is_aligned(0x1000));
}

#[test]
fn cutting_a_hole() {
    assert_eq!(span(0, 9).without(&span(3, 4)), (Some(span(0, 2)), Some(span(5, 9))));
    assert_eq!(span(0, 9).without(&span(0, 9)), (None, None));
    assert_eq!(span(0, 9).without(&span(10, 20)), (Some(span(0, 9)), None));
    assert_eq!(Span::ALL.without(&span(0, 0)), (None, Some(span(1, u64::MAX))));
    assert_eq!(Span::ALL.without(&span(u64::MAX, u64::MAX)), (Some(span(0, u64::MAX - 1)), None));
}

fn edge() -> impl Strategy<Value = u64> {
    prop_oneof![0..8u64, (u64::MAX - 8)..=u64::MAX, (0xffff_fffcu64..0x1_0000_0004), any::<u64>()]
}

proptest! {
    #[test]
    fn set_operations_agree_with_membership(a in edge(), b in edge(), c in edge(), d in edge(), x in edge()) {
        let one = span(a.min(b), a.max(b));
        let two = span(c.min(d), c.max(d));
        let in_both = one.contains(x) && two.contains(x);
        prop_assert_eq!(one.intersection(&two).is_some_and(|s| s.contains(x)), in_both);
        prop_assert_eq!(one.overlaps(&two), one.intersection(&two).is_some());
        prop_assert_eq!(one.covers(&two), one.intersection(&two) == Some(two));
        let (below, above) = one.without(&two);
        let left = below.is_some_and(|s| s.contains(x)) || above.is_some_and(|s| s.contains(x));
        prop_assert_eq!(left, one.contains(x) && !two.contains(x));
        prop_assert!(one.align_outwards(0x1000).covers(&one));
        prop_assert!(one.align_outwards(0x1000).is_aligned(0x1000));
    }
}
