use virtio_iommu_spec::{Features, MAP_F_MMIO, ResvKind, ResvMem, Status};

use super::super::rig::*;

fn attached() -> Rig {
    let mut rig = rig();
    rig.attach(8, 1);
    rig.attach(16, 1);
    rig
}

#[test]
fn m1_ends_and_target_off_the_granule_are_refused() {
    let mut rig = attached();
    let cases = [
        ("start", 1, 0xfff, 0),
        ("start by half", 0x800, 0x17ff, 0),
        ("end one short", 0, 0xffe, 0),
        ("end one over", 0, 0x1000, 0),
        ("target", 0, 0xfff, 0x10),
        ("end of space", u64::MAX - 0xffe, u64::MAX, 0),
    ];
    for (name, first, last, phys) in cases {
        assert_eq!(rig.map(1, first, last, phys, 3), Status::Range, "{name}");
    }
    assert!(rig.held(0).is_empty());
}

#[test]
fn m2_an_overlap_is_refused() {
    let mut rig = attached();
    rig.map(1, 4 * PAGE, 8 * PAGE - 1, 0, 3);
    for (first, pages) in [(4, 4), (4, 1), (7, 1), (3, 2), (7, 2), (5, 2), (0, 16)] {
        let last = (first + pages) * PAGE - 1;
        assert_eq!(rig.map(1, first * PAGE, last, 0, 1), Status::Inval, "{pages} pages at {first}");
    }
    assert_eq!(rig.held(0), [(4 * PAGE, 8 * PAGE - 1, 0, "rw".into())]);
    assert_eq!(rig.map_page(1, 3), Status::Ok, "neighbours are none");
    assert_eq!(rig.map_page(1, 8), Status::Ok);
}

#[test]
fn m3_an_unknown_or_unnegotiated_flag_is_refused() {
    let mut rig = attached();
    for bit in 3..32 {
        assert_eq!(rig.map(1, 0, 0xfff, 0, 1 | 1 << bit), Status::Inval, "bit {bit}");
    }
    let mut without = rig_with(ALL_FEATURES & !Features::MMIO);
    without.attach(8, 1);
    assert_eq!(without.map(1, 0, 0xfff, 0, 1 | MAP_F_MMIO), Status::Inval);
    assert!(rig.held(0).is_empty() && without.held(0).is_empty());
    assert_eq!(rig.map(1, 0, 0xfff, 0, 1 | MAP_F_MMIO), Status::Ok);
}

#[test]
fn m4_a_domain_that_does_not_exist_is_refused() {
    let mut rig = attached();
    for domain in [0, 2, u32::MAX] {
        assert_eq!(rig.map_page(domain, 1), Status::NoEnt);
    }
}

#[test]
fn m5_a_bypass_domain_is_refused() {
    let mut rig = rig();
    rig.attach_bypass(8, 1);
    let before = rig.held(0);
    assert_eq!(rig.map_page(1, 1), Status::Inval);
    assert_eq!(rig.held(0), before);
}

#[test]
fn m6_no_write_is_allowed_where_write_is_absent() {
    let mut rig = attached();
    rig.map(1, 0, 0xfff, 0, 1);
    rig.map(1, PAGE, PAGE + 0xfff, 0, 0);
    for group in 0..2 {
        assert_eq!(rig.held(group), [(0, 0xfff, 0, "r".into())], "a mapping of no permission is on no leg");
    }
    assert_eq!(rig.message(8, 0x40), None, "a message is a write too");
    assert_eq!(rig.message(8, PAGE), None);
    rig.detach(16, 1);
    rig.attach(16, 1);
    assert_eq!(rig.held(1), [(0, 0xfff, 0, "r".into())], "and a replay does not widen it");
}

#[test]
fn m7_a_write_only_mapping_can_be_written() {
    let mut rig = attached();
    rig.map(1, 0, 0xfff, PAGE, 2);
    assert_eq!(rig.held(0), [(0, 0xfff, PAGE, "w".into())]);
    assert_eq!(rig.message(8, 0x40), Some(PAGE + 0x40));
}

#[test]
fn m8_an_overlap_with_a_reserved_region_of_any_endpoint_is_refused() {
    let own = ResvMem { kind: ResvKind::Reserved, span: span(5 * PAGE, 7 * PAGE - 1) };
    let endpoints = vec![(8, Some(0), vec![]), (16, Some(1), vec![own])];
    let mut rig = Plan { endpoints, ..Plan::default() }.build();
    rig.attach(8, 1);
    assert_eq!(rig.map_page(1, 5), Status::Ok, "not reserved for this endpoint");
    rig.unmap(1, 0, u64::MAX);
    rig.attach(16, 1);
    for (first, pages) in [(5, 1), (4, 2), (6, 2), (0, 64), (0xfee00, 1), (0xfedff, 2), (0xfeeff, 2)] {
        let status = rig.map(1, first * PAGE, (first + pages) * PAGE - 1, 0, 1);
        assert_eq!(status, Status::Inval, "{pages} pages at {first:#x}");
    }
    assert!(rig.held(0).is_empty());
    for page in [4, 7, 0xfedff, 0xfef00] {
        assert_eq!(rig.map_page(1, page), Status::Ok, "next to it: {page:#x}");
    }
}

#[test]
fn m9_a_reversed_range_is_refused() {
    let mut rig = attached();
    for (first, last) in
        [(PAGE, 0xfff), (u64::MAX, 0), (1, 0), (2 * PAGE, PAGE - 1), (u64::MAX, u64::MAX - 1)]
    {
        assert_eq!(rig.map(1, first, last, 0, 1), Status::Range, "{first:#x}-{last:#x}");
    }
    assert!(rig.held(0).is_empty());
}

#[test]
fn m11_a_target_that_is_no_memory_is_refused() {
    let mut rig = attached();
    let cases = [
        ("beyond RAM", 0, 0xfff, RAM),
        ("partly beyond RAM", 0, 0x1fff, RAM - PAGE),
        ("end of space", 0, 0xfff, u64::MAX - 0xfff),
        ("past the end of space", 0, 0x1fff, u64::MAX - 0xfff),
        ("larger than RAM", 0, RAM + 0xfff, 0),
    ];
    for (name, first, last, phys) in cases {
        assert_eq!(rig.map(1, first, last, phys, 3), Status::Fault, "{name}");
    }
    assert!(rig.held(0).is_empty());
    assert_eq!(rig.map(1, 0, RAM - 1, 0, 3), Status::Ok, "all of RAM");
}

#[test]
fn m12_after_ok_every_leg_of_the_domain_has_the_mapping() {
    let mut rig = attached();
    for page in 0..8 {
        assert_eq!(rig.map(1, page * 3 * PAGE, page * 3 * PAGE + 0x1fff, page * PAGE, 3), Status::Ok);
    }
    for group in 0..2 {
        let expected: Vec<_> =
            (0..8).map(|n| (n * 3 * PAGE, n * 3 * PAGE + 0x1fff, n * PAGE, "rw".to_string())).collect();
        assert_eq!(rig.held(group), expected);
    }
}
