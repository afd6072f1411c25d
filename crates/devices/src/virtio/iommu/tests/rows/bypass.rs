//! Who bypasses translation: the truth table of the specification.

use virtio_iommu_spec::{Features, Status};

use super::super::rig::*;
use crate::virtio::VirtioDevice;

/// Where an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Nowhere,
    Domain,
    BypassDomain,
}

#[test]
fn b1_an_endpoint_bypasses_exactly_where_the_truth_table_says() {
    use Place::*;
    let cases = [
        (Nowhere, 0, false),
        (Nowhere, 1, true),
        (Domain, 0, false),
        (Domain, 1, false),
        (BypassDomain, 0, true),
        (BypassDomain, 1, true),
    ];
    for (place, config, bypasses) in cases {
        let mut rig =
            Plan { endpoints: vec![(8, Some(0), vec![]), (24, None, vec![])], ..Plan::default() }.build();
        for endpoint in [8, 24] {
            let status = match place {
                Nowhere => Status::Ok,
                Domain => rig.attach(endpoint, 1),
                BypassDomain => rig.attach_bypass(endpoint, 1),
            };
            assert_eq!(status, Status::Ok);
        }
        assert!(rig.set_bypass(config));
        let all = [(0, RAM - 1, 0, "rw".to_string())];
        assert_eq!(rig.held(0), all[..usize::from(bypasses)], "{place:?}, bypass {config}");
        let emulated = rig.message(24, 0x3040);
        assert_eq!(emulated, bypasses.then_some(0x3040), "{place:?}, bypass {config}, emulated");
    }
}

#[test]
fn b2_bypass_holds_when_the_driver_did_not_accept_the_feature() {
    let features = ALL_FEATURES & !Features::BYPASS_CONFIG;
    let mut rig = Plan { features, bypass_at_boot: true, ..Plan::default() }.build();
    assert_eq!(rig.held(0).len(), 1);
    assert_eq!(rig.attach_bypass(8, 1), Status::Inval, "but its flag of ATTACH is then unknown (A2)");
    assert_eq!(rig.attach(8, 1), Status::Ok);
    assert!(rig.held(0).is_empty());
    assert_eq!(rig.detach(8, 1), Status::Ok);
    assert_eq!(rig.held(0).len(), 1, "back in bypass");
}

#[test]
fn b3_there_is_no_bypass_where_a_part_of_ram_is_out_of_reach() {
    let inputs = [
        (span(0, RAM - 1), true),
        (span(0, RAM - PAGE - 1), false),
        (span(PAGE, (1 << 39) - 1), false),
        (span(RAM, (1 << 39) - 1), false),
    ];
    for (input, can) in inputs {
        let mut rig = Plan { input, bypass_at_boot: true, ..Plan::default() }.build();
        assert_eq!(rig.device.features() & Features::BYPASS_CONFIG != 0, can, "{input}: offered");
        assert_eq!((rig.config::<1>(0x24)[0] == 1, !rig.held(0).is_empty()), (can, can), "{input}: at boot");
        // The rig's driver accepts what is not offered, as none can.
        let status = rig.attach_bypass(8, 1);
        assert_eq!(status, if can { Status::Ok } else { Status::Unsupp }, "{input}");
        assert_eq!(rig.domain_of(8), can.then_some(1));
        rig.device.system_reset();
        rig.set_bypass(0);
        assert_eq!(rig.set_bypass(1), can, "{input}: a write needs a reset where it is refused");
        assert_eq!((rig.config::<1>(0x24)[0] == 1, !rig.held(1).is_empty()), (can, can), "{input}: written");
    }
}
