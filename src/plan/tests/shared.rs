//! Members of one host group on one slot of the guest.

use super::*;

/// A wish: the host's bus, the guest address if chosen, and whether behind the virtual IOMMU.
type Wish = (u8, Option<&'static str>, bool);

/// Groups 3 (buses 1, 2, 4 and 6 to 13 of the host) and 5 (bus 3).
fn host() -> FakeHost {
    let mut host = FakeHost::new(Arch::X86_64);
    host.add(2, 3).add(3, 5).add(4, 3);
    (6..=13).for_each(|bus| {
        host.add(bus, 3);
    });
    host
}

fn wishes(wishes: &[Wish]) -> Vec<VfioConfig> {
    let wish = |(bus, at, behind_viommu): &Wish| VfioConfig {
        behind_viommu: *behind_viommu,
        guest_address: at.map(|text| text.parse().unwrap()),
        ..device(*bus)
    };
    wishes.iter().map(wish).collect()
}

fn guests(plan: &Plan) -> Vec<String> {
    plan.devices.iter().map(|device| device.guest.to_string()).collect()
}

#[test]
fn members_of_a_group_behind_the_virtual_iommu_are_functions_of_one_slot() {
    let rows: &[(&str, &[Wish], &[&str])] = &[
        ("two", &[(1, None, true), (2, None, true)], &["01:00.0", "01:00.1"]),
        ("in the order of the flags", &[(2, None, true), (1, None, true)], &["01:00.0", "01:00.1"]),
        (
            "another group between them",
            &[(1, None, true), (3, None, true), (2, None, true)],
            &["01:00.0", "02:00.0", "01:00.1"],
        ),
        ("one alone", &[(2, None, true), (3, None, true)], &["01:00.0", "02:00.0"]),
        ("beside", &[(1, None, false), (2, None, false)], &["01:00.0", "02:00.0"]),
        ("bus chosen by one", &[(1, None, true), (2, Some("05:00.0"), true)], &["05:00.1", "05:00.0"]),
        ("function chosen", &[(1, Some("05:00.3"), true), (2, None, true)], &["05:00.3", "05:00.0"]),
        (
            "all chosen",
            &[(1, Some("05:00.7"), true), (2, Some("05:00.0"), true), (4, Some("05:00.2"), true)],
            &["05:00.7", "05:00.0", "05:00.2"],
        ),
        (
            "around what is chosen",
            &[(1, None, true), (2, Some("01:00.1"), true), (3, None, true), (4, None, true)],
            &["01:00.0", "01:00.1", "02:00.0", "01:00.2"],
        ),
        (
            "beside, on one slot because the user says so",
            &[(1, Some("02:00.0"), false), (2, Some("02:00.1"), false), (4, None, false)],
            &["02:00.0", "02:00.1", "01:00.0"],
        ),
    ];
    for (name, wish, expected) in rows {
        let plan = good(&host(), &assignment(Arch::X86_64, &wishes(wish)));
        assert_eq!(guests(&plan), *expected, "{name}");
        let buses: std::collections::BTreeSet<u8> =
            plan.devices.iter().map(|device| device.guest.bus()).collect();
        let ports: Vec<u8> = plan.root_ports.iter().map(|port| port.secondary).collect();
        assert_eq!(ports, Vec::from_iter(buses), "{name}: a port for each slot");
    }
}

#[test]
fn slot_has_eight_functions() {
    let many = |count: usize| -> Vec<VfioConfig> {
        [1, 2, 4].into_iter().chain(6..=13).take(count).map(device).collect()
    };
    let plan = good(&host(), &assignment(Arch::X86_64, &many(8)));
    assert_eq!((guests(&plan).last().unwrap().as_str(), plan.root_ports.len()), ("01:00.7", 1));
    let refusals = planned(&host(), &assignment(Arch::X86_64, &many(9)), &GuestMap::default()).unwrap_err();
    let text = refusals[0].to_string();
    assert!(
        refusals.len() == 1 && text.starts_with("IOMMU group 3 does not fit") && text.contains("9 devices"),
        "{text}"
    );
}

#[test]
fn addresses_that_no_slot_can_have_are_refused() {
    let rows: &[(&[Wish], &[&str])] = &[
        (
            &[(1, Some("01:00.0"), true), (2, Some("02:00.0"), true)],
            &["cannot have guest-address=01:00.0 and guest-address=02:00.0", "IOMMU group 3", "one slot"],
        ),
        (&[(1, Some("05:00.1"), true)], &["cannot have guest-address=05:00.1", "nothing of the IOMMU group"]),
        (
            &[(1, Some("05:00.1"), true), (2, Some("05:00.2"), true)],
            &["must have a function 0", "guest-address=05:00.0"],
        ),
        (
            &[(1, Some("05:00.0"), true), (3, Some("05:00.1"), true), (2, None, true)],
            &["nothing of the IOMMU group of 0000:03:00.0 is at 05:00.0"],
        ),
        (
            &[(1, Some("05:00.0"), true), (3, Some("05:00.0"), true)],
            &["cannot have guest-address=05:00.0 beside guest-address=05:00.0", "different buses"],
        ),
        (
            &[(3, Some("05:00.0"), false), (1, None, true), (2, Some("05:00.1"), true)],
            &[
                "cannot have guest-address=05:00.1 beside guest-address=05:00.0",
                "0000:02:00.0 and 0000:03:00.0",
            ],
        ),
    ];
    for (wish, words) in rows {
        let outcome = planned(&host(), &assignment(Arch::X86_64, &wishes(wish)), &GuestMap::default());
        let text: String = outcome.unwrap_err().iter().map(|refusal| format!("{refusal}\n")).collect();
        words.iter().for_each(|word| assert!(text.contains(word), "{wish:?}: {text}"));
    }
}
