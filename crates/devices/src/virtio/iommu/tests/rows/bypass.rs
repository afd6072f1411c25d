//! Who bypasses translation: the truth table of the specification.

use virtio_iommu_spec::{Features, Status};

use super::super::rig::*;

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
