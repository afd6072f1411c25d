use base::{GuestRam, HostMemory};
use data_model::Span;

use super::{Backing, PhysMap};

fn span(start: u64, last: u64) -> Span {
    Span::new(start, last).unwrap()
}

fn map() -> PhysMap {
    let ram = GuestRam::new(&[span(0, 0xffff), span(0x2_0000, 0x2_ffff)]).unwrap();
    PhysMap::new(HostMemory::of_ram(&ram)).unwrap()
}

#[test]
fn a_range_resolves_only_inside_one_region() {
    let map = map();
    for (start, last, found) in [
        (0, 0, Some(0)),
        (0xf000, 0xffff, Some(0xf000)),
        (0xf000, 0x1_0000, None),
        (0x1_0000, 0x1_ffff, None),
        (0x1_f000, 0x2_0fff, None),
        (0x2_1000, 0x2_ffff, Some(0x1000)),
        (0, u64::MAX, None),
        (u64::MAX, u64::MAX, None),
    ] {
        let offset = map.resolve(span(start, last)).map(|(_, offset)| offset);
        assert_eq!(offset, found, "{start:#x}-{last:#x}");
    }
}

#[test]
fn overlapping_ranges_are_refused_and_removal_is_exact() {
    let map = map();
    assert!(map.insert(span(0xffff, 0x1_0000), Backing::Doorbell).is_err());
    map.insert(span(0x1_0000, 0x1_0fff), Backing::Doorbell).unwrap();
    assert!(!map.remove(span(0x1_0000, 0x1_ffff)));
    assert!(map.remove(span(0x1_0000, 0x1_0fff)));
    assert!(map.resolve(span(0x1_0000, 0x1_0000)).is_none());
    assert_eq!(map.ram(), [span(0, 0xffff), span(0x2_0000, 0x2_ffff)]);
}
