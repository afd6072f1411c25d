extern crate std;
use std::vec::Vec;

use data_model::Span;

use super::*;

fn region(kind: ResvKind, start: u64, last: u64) -> ResvMem {
    ResvMem { kind, span: Span::new(start, last).unwrap() }
}

#[test]
fn regions_read_back_and_the_rest_is_zero() {
    let regions =
        [region(ResvKind::Msi, 0xfee0_0000, 0xfeef_ffff), region(ResvKind::Reserved, 1 << 40, u64::MAX)];
    let mut bytes = [0xaa; 100];
    Properties::encode(&regions, &mut bytes).unwrap();
    assert_eq!(bytes[..8], [1, 0, 20, 0, 1, 0, 0, 0]);
    assert!(bytes[48..].iter().all(|byte| *byte == 0));
    let read: Vec<_> = properties(&bytes).collect();
    assert_eq!(read, regions.map(Property::ResvMem));
}

#[test]
fn a_list_that_does_not_fit_writes_nothing() {
    let regions = [region(ResvKind::Reserved, 0, 1); 3];
    let mut bytes = [0xaa; 71];
    assert_eq!(Properties::encode(&regions, &mut bytes), Err(PropertyOverflow { needed: 72 }));
    assert_eq!(bytes, [0xaa; 71]);
}

#[test]
fn a_full_buffer_needs_no_terminator() {
    let regions = [region(ResvKind::Reserved, 0, 1); 2];
    let mut bytes = [0; 48];
    Properties::encode(&regions, &mut bytes).unwrap();
    assert_eq!(properties(&bytes).count(), 2);
}

#[test]
fn unknown_and_malformed_properties_are_told() {
    let unknown = [7, 0, 1, 0, 0xff, 1, 0, 99, 0];
    assert_eq!(properties(&unknown).collect::<Vec<_>>(), [Property::Unknown(7), Property::Malformed]);
    let short = [1, 0, 12, 0, 1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(properties(&short).collect::<Vec<_>>(), [Property::Malformed], "no room for its end");
    let mut reversed = [0; 24];
    Properties::encode(&[region(ResvKind::Reserved, 5, 9)], &mut reversed).unwrap();
    reversed[16] = 1;
    assert_eq!(properties(&reversed).collect::<Vec<_>>(), [Property::Malformed]);
}
