use virtio_iommu_spec::{Request, Status};

use super::super::rig::*;

fn mapped() -> Rig {
    let mut rig = rig();
    rig.attach(8, 1);
    rig.attach(16, 1);
    rig.map(1, 0, 2 * PAGE - 1, 0, 3);
    rig.map(1, 2 * PAGE, 4 * PAGE - 1, 0, 3);
    rig.map(1, 8 * PAGE, 9 * PAGE - 1, 0, 3);
    rig
}

#[test]
fn u1_reserved_bytes_are_refused() {
    let mut rig = mapped();
    for bit in 0..32 {
        let request = Request::Unmap { domain: 1, virt_start: 0, virt_end: u64::MAX, reserved: 1 << bit };
        assert_eq!(rig.send(request), Status::Inval, "bit {bit}");
    }
    assert_eq!(rig.held(0).len(), 3, "and nothing is removed");
}

#[test]
fn u2_a_domain_that_does_not_exist_is_refused() {
    let mut rig = mapped();
    for domain in [0, 2, u32::MAX] {
        assert_eq!(rig.unmap(domain, 0, u64::MAX), Status::NoEnt);
    }
}

#[test]
fn u3_a_bypass_domain_is_refused() {
    let mut rig = rig();
    rig.attach_bypass(8, 1);
    assert_eq!(rig.unmap(1, 0, u64::MAX), Status::Inval);
    assert_eq!(rig.held(0).len(), 1, "and keeps what it has");
}

#[test]
fn u4_a_range_that_cuts_a_mapping_removes_nothing() {
    let mut rig = mapped();
    let all = rig.held(0);
    let cases = [
        ("its head", 0, PAGE - 1),
        ("its tail", PAGE, 2 * PAGE - 1),
        ("one and a half", 0, 3 * PAGE - 1),
        ("all but the last page", 0, 8 * PAGE + 0x7ff),
        ("one byte off", 1, u64::MAX),
        ("the last byte", 2 * PAGE - 1, u64::MAX),
    ];
    for (name, first, last) in cases {
        assert_eq!(rig.unmap(1, first, last), Status::Range, "{name}");
        assert_eq!((rig.held(0), rig.held(1)), (all.clone(), all.clone()), "{name}");
    }
}

#[test]
fn u5_what_lies_inside_is_removed_over_holes_and_nothing_is_fine() {
    let mut rig = mapped();
    assert_eq!(rig.unmap(1, 4 * PAGE, 8 * PAGE - 1), Status::Ok, "a hole");
    assert_eq!(rig.held(0).len(), 3);
    assert_eq!(rig.unmap(1, 2 * PAGE, 20 * PAGE + 17), Status::Ok, "over a hole, an end in the open");
    assert_eq!(rig.held(1), [(0, 2 * PAGE - 1, 0, "rw".into())]);
    assert_eq!(rig.unmap(1, 0, u64::MAX), Status::Ok);
    assert!(rig.held(0).is_empty() && rig.held(1).is_empty());
    assert_eq!(rig.unmap(1, 0, u64::MAX), Status::Ok, "an empty domain");
    assert_eq!(rig.unmap(1, u64::MAX, u64::MAX), Status::Ok, "the last byte of the space");
}
