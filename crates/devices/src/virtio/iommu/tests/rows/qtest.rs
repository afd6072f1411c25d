//! The scenarios of QEMU's own tests of its device, each of their bytes a granule of ours.

use virtio_iommu_spec::Status::{self, *};

use super::super::rig::*;

/// Units of the scenario to the inclusive addresses of ours.
fn scaled(first: u64, last: u64, granule: u64) -> (u64, u64) {
    (first * granule, last * granule + granule - 1)
}

#[test]
fn config_scenario() {
    let rig = Plan { bypass_at_boot: true, ..Plan::default() }.build();
    assert_eq!(u64::from_le_bytes(rig.config(0x08)), 0);
    assert!(u64::from_le_bytes(rig.config(0x10)) >= 0xffff_ffff);
    assert_eq!((u32::from_le_bytes(rig.config(0x18)), u32::from_le_bytes(rig.config(0x1c))), (0, u32::MAX));
    assert_eq!(rig.config::<1>(0x24), [1]);
}

#[test]
fn attach_detach_scenario() {
    let mut rig = Plan { endpoints: vec![(0, Some(0), vec![])], ..Plan::default() }.build();
    assert_eq!(rig.attach(0, 0), Ok);
    assert_eq!(rig.attach(444, 0), NoEnt);
    assert_eq!(rig.detach(1, 0), NoEnt);
    assert_eq!(rig.attach(0, 1), Ok, "moves");
    assert_eq!(rig.detach(0, 0), Inval);
    assert_eq!(rig.detach(0, 1), Ok);
    assert_eq!(rig.attach(0, 0), Ok);
    for (page, phys) in [(0, 0x10), (1, 0x11)] {
        let (first, last) = scaled(page, page, PAGE);
        assert_eq!(rig.map(0, first, last, phys * PAGE, 1), Ok);
    }
    assert_eq!(rig.detach(0, 0), Ok, "with mappings");
    assert!(rig.held(0).is_empty());
}

enum Step {
    Map(u64, u64, Status),
    Unmap(u64, u64, Status),
}

#[test]
fn map_unmap_scenario_at_every_granule() {
    use Step::*;
    let steps = [
        (1, Unmap(4, 10, Ok)),
        (2, Map(0, 9, Ok)),
        (2, Unmap(0, 9, Ok)),
        (3, Map(0, 4, Ok)),
        (3, Map(5, 9, Ok)),
        (3, Unmap(0, 9, Ok)),
        (4, Map(0, 9, Ok)),
        (4, Unmap(0, 4, Range)),
        (4, Unmap(0, 10, Ok)),
        (5, Map(0, 4, Ok)),
        (5, Map(5, 9, Ok)),
        (5, Unmap(0, 4, Ok)),
        (5, Unmap(5, 9, Ok)),
        (6, Map(0, 4, Ok)),
        (6, Unmap(0, 9, Ok)),
        (7, Map(0, 4, Ok)),
        (7, Map(10, 14, Ok)),
        (7, Unmap(0, 14, Ok)),
        (8, Map(10, 14, Ok)),
        (8, Map(0, 4, Ok)),
        (8, Unmap(0, 4, Ok)),
        (8, Map(10, 14, Inval)),
        (8, Unmap(10, 14, Ok)),
    ];
    for granule in [PAGE, 0x4000] {
        let mut rig = Plan { granule, ..Plan::default() }.build();
        let (first, last) = scaled(0, 0, granule);
        assert_eq!(rig.map(1, first, last, 0, 1), NoEnt, "no such domain");
        rig.attach(8, 1);
        assert_eq!(rig.map(1, first, last, 0, 1), Ok);
        assert_eq!(rig.map(1, first, last, 0, 1), Inval, "overlap");
        assert_eq!(rig.unmap(4, first, last), NoEnt);
        assert_eq!(rig.unmap(1, 0x10, last), Range, "cut");
        assert_eq!(rig.unmap(1, first, last + 1), Ok, "one byte more");
        for (example, step) in &steps {
            let (status, expected) = match *step {
                Map(first, last, expected) => {
                    let (first, last) = scaled(first, last, granule);
                    (rig.map(1, first, last, 0, 1), expected)
                }
                Unmap(first, last, expected) => {
                    let (first, last) = scaled(first, last, granule);
                    (rig.unmap(1, first, last), expected)
                }
            };
            assert_eq!(status, expected, "example {example}, granule {granule:#x}");
        }
        assert!(rig.held(0).is_empty());
    }
}
