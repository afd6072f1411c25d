//! The checks: a good life passes, and each way to go wrong is noticed.

use std::collections::BTreeSet;

use super::{Scenario, all, cycles, demo, failures};
use crate::arch::Arch;
use crate::disk::Disk;
use crate::report::{Group, Report, Vector};

fn disk() -> Disk {
    Disk { path: "/disk".into(), digest: "abc".into() }
}

fn good() -> Report {
    let group = ["0", "DMA-FQ", "0000:01:00.0", "nvme"].map(str::to_owned);
    let [number, kind, device, driver] = group;
    Report {
        exit: Some(0),
        cpus: Some(1),
        digest: Some("abc".into()),
        write: Some("ok".into()),
        groups: vec![Group { number, kind, device, driver }],
        reserved: vec!["0 0x00000000fee00000 0x00000000feefffff msi".into()],
        vectors: ["nvme0q0", "nvme0q1"].map(|name| Vector { name: name.into(), taken: 9 }).into(),
        free: vec!["0000:01:00.0".into()],
        locked_kib: Some(0),
        pinned_pages: Some(0),
        drawn: true,
        viommu: Some(serde_json::from_str(crate::viommu::tests::SHOWN).unwrap()),
        ..Report::default()
    }
}

fn of(name: &str) -> Scenario {
    all(Arch::Aarch64).into_iter().find(|scenario| scenario.guest.name == name).unwrap()
}

fn refuse_a_map(report: &mut Report) {
    let requests = report.viommu.iter_mut().flat_map(|viommu| &mut viommu.requests);
    requests.filter(|kind| kind.kind == "map").for_each(|kind| kind.failed = 1);
}

#[test]
fn a_good_life_passes() {
    assert_eq!(failures(&demo(), &good(), &disk()), Vec::<String>::new());
}

#[test]
fn each_way_to_go_wrong_is_noticed() {
    type Change = fn(&mut Report);
    let cases: [(Change, &str); 17] = [
        (|r| r.drawn = false, "drew no domain"),
        (|r| r.exit = Some(33), "exit code Some(33)"),
        (|r| r.digest = Some("abd".into()), "digest read"),
        (|r| r.digest = None, "digest read None"),
        (|r| r.write = Some("wrong".into()), "copy by the device"),
        (|r| r.vectors[0].taken = 0, "no interrupt of the disk's queue 0"),
        (|r| r.vectors.truncate(1), "no interrupt of the disk's queue 1"),
        (|r| refuse_a_map(r), "1 mappings of the guest were refused"),
        (|r| r.host_faults.push("DMAR: fault".into()), "DMAR: fault"),
        (|r| r.groups[0].kind = "identity".into(), "identity domain"),
        (|r| r.busy.append(&mut r.free), "still in use"),
        (|r| r.free.clear(), "not every group"),
        (|r| r.locked_kib = Some(4), "locked memory"),
        (|r| r.pinned_pages = Some(-1), "pinned pages"),
        (|r| r.reserved.clear(), "does not show the reserved region"),
        (|r| r.viommu = None, "did not answer"),
        (|r| r.cpus = Some(2), "processors"),
    ];
    for (change, expected) in cases {
        let mut report = good();
        change(&mut report);
        let found = failures(&demo(), &report, &disk());
        assert!(found.len() == 1 && found[0].contains(expected), "{expected}: {found:?}");
    }
}

#[test]
fn two_devices_need_two_domains_and_a_network() {
    let found = failures(&of("two-groups"), &good(), &disk()).join("\n");
    for part in ["network: ping None", "1 endpoints on 1 legs for 2 devices", "1 domains for 2 groups"] {
        assert!(found.contains(part), "no {part:?} in\n{found}");
    }
}

#[test]
fn a_driver_that_does_not_come_back_is_noticed() {
    let mut report = good();
    report.rebinds = 4;
    assert!(failures(&of("rebind"), &report, &disk())[0].contains("4 times of 5"));
    report.rebinds = 5;
    assert!(failures(&of("rebind"), &report, &disk()).is_empty());
}

#[test]
fn a_run_of_rig_that_does_not_end_well_is_noticed() {
    let mut scenario = demo();
    scenario.guest.rig = vec!["one --times 2"];
    let cases: [(&[&str], &[&str]); 4] = [
        (&["fine", "exit 0 one --times 2"], &[]),
        (&["exit 1 one --times 2"], &["`rig one --times 2` did not end well"]),
        (&[], &["`rig one --times 2` did not end well"]),
        (&["FAILED: dead", "exit 1 one --times 2"], &["FAILED: dead", "did not end well"]),
    ];
    for (said, expected) in cases {
        let mut report = good();
        report.rig = said.iter().map(|line| (*line).to_owned()).collect();
        let found = failures(&scenario, &report, &disk());
        let right = found.iter().zip(expected).all(|(failure, part)| failure.contains(part));
        assert!(right && found.len() == expected.len(), "{said:?}: {found:?}");
    }
}

#[test]
fn faults_of_accesses_that_were_to_be_blocked_are_expected_and_no_others() {
    const STATUS: &str = "DMAR: DRHD: handling fault status reg 2";
    const FAULT: &str =
        "DMAR: [DMA Write NO_PASID] Request device [01:00.0] fault addr 0x5dead0000 [fault reason 5]";
    let cases: [(&[&str], &[&str], &str); 6] = [
        (&["blocked 0x40000000 0x5dead0000"], &[STATUS, FAULT], ""),
        (&["blocked 0x40000000"], &[STATUS, FAULT], "fault addr 0x5dead0000"),
        (&["blocked 0x40000000"], &[], "reported none of the accesses"),
        (&[], &[STATUS], "fault status"),
        (&[], &[FAULT], "fault addr"),
        (&["blocked 0x40000000"], &["AMD-Vi: Event logged", "x fault addr 0x40000200"], "AMD-Vi"),
    ];
    for (rig, faults, expected) in cases {
        let mut report = good();
        report.rig = rig.iter().map(|line| (*line).to_owned()).collect();
        report.host_faults = faults.iter().map(|line| (*line).to_owned()).collect();
        let found = failures(&demo(), &report, &disk());
        let right = if expected.is_empty() {
            found.is_empty()
        } else {
            found.len() == 1 && found[0].contains(expected)
        };
        assert!(right, "{rig:?} {faults:?}: {found:?}");
    }
}

#[test]
fn cycles_alternate_between_power_off_and_reset() {
    let exits: Vec<_> = cycles(3).iter().map(|scenario| scenario.exit).collect();
    assert_eq!(exits, [0, 32, 0]);
}

#[test]
fn scenarios_have_distinct_names_and_a_start_follows_the_reboot() {
    let names: Vec<_> = all(Arch::Aarch64).into_iter().map(|scenario| scenario.guest.name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    let reboot = names.iter().position(|name| name == "reboot").unwrap();
    assert_eq!(names[reboot + 1], "start-after-reboot");
}

#[test]
fn emulated_devices_are_looked_at_where_there_are_some() {
    let failed = failures(&of("root-disk"), &good(), &disk());
    for words in ["root is None", "digest is None", "copy is None", "random is None", "0 emulated devices"] {
        assert!(failed.iter().any(|failure| failure.contains(words)), "{words}: {failed:#?}");
    }
}
