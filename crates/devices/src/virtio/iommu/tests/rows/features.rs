use super::super::rig::*;
use crate::virtio::VirtioDevice;
use virtio_iommu_spec::Features;

#[test]
fn f1_map_unmap_is_offered() {
    assert_ne!(rig().device.features() & Features::MAP_UNMAP, 0);
}

#[test]
fn f2_the_old_bypass_feature_is_never_offered() {
    let offered = rig().device.features();
    assert_eq!(offered & Features::BYPASS, 0);
    assert_ne!(offered & Features::BYPASS_CONFIG, 0);
}

#[test]
fn c1_the_lowest_bit_of_the_page_size_mask_is_the_granule() {
    for granule in [PAGE, 0x4000, 0x1_0000] {
        let mut rig = Plan { granule, ..Plan::default() }.build();
        let mask = u64::from_le_bytes(rig.config(0));
        assert_eq!(1 << mask.trailing_zeros(), granule);
        rig.attach(8, 1);
        assert_eq!(rig.map(1, 0, granule - 1, 0, 3), virtio_iommu_spec::Status::Ok);
        assert_eq!(rig.map(1, granule, granule + granule / 2 - 1, 0, 3), virtio_iommu_spec::Status::Range);
    }
}

#[test]
fn c2_bypass_begins_as_configured() {
    assert_eq!(rig().config::<1>(0x24), [0]);
    let rig = Plan { bypass_at_boot: true, ..Plan::default() }.build();
    assert_eq!(rig.config::<1>(0x24), [1]);
    assert_eq!(rig.held(0), [(0, RAM - 1, 0, "rw".into())], "and is in effect");
}

#[test]
fn c3_bypass_survives_a_device_reset_and_not_a_system_reset() {
    for boot in [false, true] {
        let mut rig = Plan { bypass_at_boot: boot, ..Plan::default() }.build();
        assert!(rig.set_bypass(u8::from(!boot)));
        rig.device.reset();
        assert_eq!(rig.config::<1>(0x24), [u8::from(!boot)]);
        assert_eq!(rig.held(0).is_empty(), boot);
        rig.device.system_reset();
        assert_eq!(rig.config::<1>(0x24), [u8::from(boot)]);
        assert_eq!(rig.held(0).is_empty(), !boot);
    }
}

#[test]
fn c4_bypass_reads_0_or_1_whatever_was_written() {
    let mut rig = rig();
    for value in 0..=255 {
        rig.set_bypass(value);
        assert!(rig.config::<1>(0x24)[0] <= 1, "after {value}");
    }
}

#[test]
fn c5_only_bypass_is_written_when_negotiated_to_0_or_1() {
    let mut rig = rig();
    let before: [u8; 40] = rig.config(0);
    let refused: [(u64, &[u8], u64); 6] = [
        (0x24, &[2], ALL_FEATURES),
        (0x24, &[0xff], ALL_FEATURES),
        (0x24, &[1], ALL_FEATURES & !Features::BYPASS_CONFIG),
        (0x24, &[1], 0),
        (0x24, &[1, 0], ALL_FEATURES),
        (0x23, &[0, 1], ALL_FEATURES),
    ];
    for (offset, data, features) in refused {
        assert!(!rig.device.config_write(offset, data, features), "{data:?} at {offset:#x}");
        assert_eq!(rig.config::<40>(0), before);
    }
    for offset in (0..40).filter(|offset| *offset != 0x24) {
        rig.device.config_write(offset, &[!before[offset as usize]], ALL_FEATURES);
        assert_eq!(rig.config::<40>(0), before, "a write at {offset:#x}");
    }
    assert!(rig.set_bypass(1));
    assert_eq!(rig.config::<1>(0x24), [1]);
}

#[test]
fn c6_a_new_bypass_applies_to_every_endpoint_in_no_domain() {
    let mut rig = Plan {
        endpoints: vec![(8, Some(0), vec![]), (16, Some(1), vec![]), (24, None, vec![])],
        ..Plan::default()
    }
    .build();
    rig.attach(8, 1);
    rig.map_page(1, 5);
    let mapped = rig.held(0);
    for value in [1, 0, 1] {
        assert!(rig.set_bypass(value));
        let all = [(0, RAM - 1, 0, "rw".to_string())];
        assert_eq!(rig.held(1), all[..usize::from(value)], "bypass {value}");
        assert_eq!(rig.held(0), mapped, "an endpoint in a domain keeps its mappings");
        let message = rig.message(24, 0x5040);
        assert_eq!(message.is_some(), value == 1, "and an emulated one follows too");
    }
}

#[test]
fn c7_a_device_reset_takes_every_endpoint_out_of_its_domain() {
    let mut rig = rig();
    rig.attach(8, 1);
    rig.attach(16, 2);
    rig.map_page(1, 5);
    rig.map_page(2, 6);
    rig.device.reset();
    assert_eq!((rig.domain_of(8), rig.domain_of(16)), (None, None));
    assert!(rig.device.handle().report().iommu.domains.is_empty());
    assert!(rig.held(0).is_empty() && rig.held(1).is_empty());
}

#[test]
fn f4_without_map_unmap_neither_is_carried_out() {
    let mut rig = rig_with(ALL_FEATURES & !Features::MAP_UNMAP);
    rig.attach(8, 1);
    assert_eq!(rig.map_page(1, 0), virtio_iommu_spec::Status::Unsupp);
    assert_eq!(rig.unmap(1, 0, u64::MAX), virtio_iommu_spec::Status::Unsupp);
    assert!(rig.held(0).is_empty());
}
