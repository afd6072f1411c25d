//! The checks: a good life passes, and each way to go wrong is noticed.

use std::collections::BTreeSet;

use super::{GICV2_ERRANDS, Scenario, all, by_night, cycles, demo, failures, vfio};
use crate::arch::{Arch, Gic};
use crate::disk::Disk;
use crate::report::{Group, Report, Sample, Vector};
use crate::viommu::Requests;

pub(super) fn disk() -> Disk {
    Disk { path: "/disk".into(), digest: "abc".into(), first_mib: "ab".into() }
}

pub(super) fn good() -> Report {
    let group = ["0", "DMA-FQ", "0000:01:00.0", "nvme"].map(str::to_owned);
    let [number, kind, device, driver] = group;
    Report {
        exit: Some(0),
        cpus: Some(1),
        date: Some(1_000_020),
        host_dates: (Some(1_000_000), Some(1_000_040)),
        digest: Some("abc".into()),
        write: Some("ok".into()),
        groups: vec![Group { number, kind, device, driver }],
        reserved: vec!["0 0x00000000fee00000 0x00000000feefffff msi".into()],
        vectors: ["nvme0q0", "nvme0q1"].map(|name| Vector { name: name.into(), taken: 9 }).into(),
        free: vec!["0000:01:00.0".into()],
        locked_kib: Some(0),
        processes: Some(0),
        pinned_pages: Some(0),
        drawn: true,
        viommu: Some(serde_json::from_str(crate::viommu::tests::SHOWN).unwrap()),
        ..Report::default()
    }
}

fn of(name: &str) -> Scenario {
    all(Arch::Aarch64, Gic::V3, true).into_iter().find(|scenario| scenario.guest.name == name).unwrap()
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
    let cases: [(Change, &str); 22] = [
        (|r| r.date = Some(999_989), "clock showed Some(999989), the host's Some(1000000) to Some(1000040)"),
        (|r| r.date = Some(1_000_051), "clock showed"),
        (|r| r.date = None, "clock showed None"),
        (|r| r.drawn = false, "drew no domain"),
        (|r| r.exit = Some(33), "exit code Some(33)"),
        (|r| r.socket_left = true, "control socket after the end"),
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
        (|r| r.processes = Some(1), "processes of the VMM"),
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
fn pair_is_one_group_of_the_guest_that_moves_without_a_refusal() {
    let pair = |card: &str, ok, failed| {
        let mut report = good();
        let function = |number: &str, driver: &str| Group {
            number: number.into(),
            driver: driver.into(),
            ..report.groups[0].clone()
        };
        report.groups = vec![function("0", "nvme"), function(card, "e1000e")];
        let attach = Requests { kind: "attach".into(), ok, failed };
        report.viommu.as_mut().unwrap().requests = vec![attach];
        vfio::moved(&report).join(
            "
",
        )
    };
    assert_eq!(pair("0", 14, 0), "");
    assert!(pair("1", 14, 0).contains("not in one guest group"));
    assert!(pair("0", 13, 0).contains("13 ATTACHes, expected 14 or more"));
    assert!(pair("0", 14, 1).contains("1 were refused"));
}

#[test]
fn a_driver_that_does_not_come_back_is_noticed() {
    for (name, wanted) in [("rebind", 20), ("v2m", 5)] {
        let mut report = good();
        report.samples = samples(|_| {});
        report.rebinds = wanted - 1;
        let found = failures(&of(name), &report, &disk());
        assert!(found[0].contains(&format!("{} times of {wanted}", wanted - 1)), "{name}: {found:?}");
        report.rebinds = wanted;
        assert_eq!(failures(&of(name), &report, &disk()), Vec::<String>::new(), "{name}");
    }
}

/// Two processes at two moments; `change` spoils the last sample.
fn samples(change: impl Fn(&mut Sample)) -> Vec<Sample> {
    let sample = |moment: &str, role: &str| Sample {
        moment: moment.into(),
        role: role.into(),
        descriptors: 9,
        memory_kib: 1000,
        locked_kib: 0,
    };
    let mut samples = vec![];
    for moment in ["unbound-1", "unbound-20"] {
        samples.extend(["mixvm", "virtio-iommu"].map(|role| sample(moment, role)));
    }
    change(samples.last_mut().unwrap());
    samples
}

#[test]
fn growth_of_a_process_is_noticed() {
    type Change = fn(&mut Sample);
    let cases: [(Change, &str); 5] = [
        (|s| s.descriptors = 10, "virtio-iommu: 9 descriptors became 10"),
        (|s| s.locked_kib = 4, "0 KiB locked became 4"),
        (|s| s.memory_kib = 1257, "1000 KiB of memory became 1257"),
        (|s| s.role = "virtio-rng".into(), "became virtio-rng"),
        (|s| s.moment = "unbound-3".into(), "2 processes became 1"),
    ];
    let found = |samples| {
        let report = Report { rebinds: 20, samples, ..good() };
        failures(&of("rebind"), &report, &disk())
    };
    for (change, expected) in cases {
        let found = found(samples(change));
        assert!(found.len() == 1 && found[0].contains(expected), "{expected}: {found:?}");
    }
    assert!(found(Vec::new())[0].contains("nobody looked"));
}

fn hostile() -> Report {
    let mut report = Report { rig: vec!["exit 0 hostile --requests 120000".into()], ..good() };
    report.free.push("0000:02:00.0".into());
    let viommu = report.viommu.as_mut().unwrap();
    viommu.endpoints.push(viommu.endpoints[0].clone());
    viommu.legs.push(viommu.legs[0].clone());
    for leg in &mut viommu.legs {
        (leg.mappings, leg.host_mappings) = (8, Some(8));
    }
    for domain in &mut viommu.domains {
        domain.mappings = 8;
    }
    viommu.requests[0].failed = 100_000;
    report
}

#[test]
fn a_hostile_guest_must_leave_the_host_as_its_tables_say() {
    type Change = fn(&mut Report);
    let cases: [(Change, &str); 8] = [
        (|r| r.exit = Some(33), "exit code Some(33)"),
        (|r| r.rig = vec!["exit 1 hostile --requests 120000".into()], "did not end well"),
        (|r| r.host_faults.push("DMAR: fault".into()), "DMAR: fault"),
        (|r| r.pinned_pages = Some(1), "pinned pages"),
        (|r| r.viommu = None, "did not answer"),
        (|r| r.viommu.as_mut().unwrap().legs[1].quarantined = true, "is quarantined"),
        (|r| r.viommu.as_mut().unwrap().legs[1].host_mappings = Some(9), "9 in the kernel"),
        (|r| r.viommu.as_mut().unwrap().requests[0].failed = 0, "100000 expected at least"),
    ];
    assert_eq!(failures(&of("hostile"), &hostile(), &disk()), Vec::<String>::new());
    for (change, expected) in cases {
        let mut report = hostile();
        change(&mut report);
        let found = failures(&of("hostile"), &report, &disk());
        assert!(found.len() == 1 && found[0].contains(expected), "{expected}: {found:?}");
    }
}

#[test]
fn a_reboot_must_follow_the_right_first_mib() {
    let good = || Report { exit: Some(32), first_mib: Some("ab".into()), ..good() };
    assert_eq!(failures(&of("again-20"), &good(), &disk()), Vec::<String>::new());
    let cases = [
        (Report { exit: Some(0), ..good() }, "exit code Some(0)"),
        (Report { first_mib: Some("abc".into()), ..good() }, "digest read"),
        (Report { processes: Some(1), ..good() }, "processes of the VMM"),
    ];
    for (report, expected) in cases {
        let found = failures(&of("again-1"), &report, &disk());
        assert!(found.len() == 1 && found[0].contains(expected), "{expected}: {found:?}");
    }
}

#[test]
fn the_short_table_leaves_out_only_what_takes_long() {
    let names = |arch, long| all(arch, Gic::V3, long).into_iter().map(|it| it.guest.name).collect::<Vec<_>>();
    let (short, long) = (names(Arch::X86_64, false), names(Arch::X86_64, true));
    assert!(short.iter().all(|name| long.contains(name)));
    let count = |names: &[String], part: &str| names.iter().filter(|name| name.starts_with(part)).count();
    assert_eq!((count(&short, "kill-"), count(&long, "kill-")), (9, 20));
    assert_eq!((count(&short, "again-"), count(&long, "again-")), (4, 20));
    let requests = |arch, long| {
        let hostile = all(arch, Gic::V3, long).into_iter().find(|it| it.guest.name == "hostile").unwrap();
        hostile.guest.rig
    };
    assert_eq!(requests(Arch::X86_64, false), requests(Arch::Aarch64, true));
    assert_ne!(requests(Arch::Aarch64, false), requests(Arch::Aarch64, true));
    assert_eq!(all(Arch::Aarch64, Gic::V2, true).len(), 2);
}

#[test]
fn what_is_left_for_the_night_is_there_by_night_and_each_kind_of_it_by_day_somewhere() {
    let names = |arch, long| all(arch, Gic::V3, long).into_iter().map(|it| it.guest.name).collect::<Vec<_>>();
    for arch in [Arch::X86_64, Arch::Aarch64] {
        for name in by_night(arch) {
            let is_there = |names: Vec<String>| names.iter().any(|it| it == name);
            assert_eq!((is_there(names(arch, false)), is_there(names(arch, true))), (false, true), "{name}");
        }
    }
    let days = [names(Arch::X86_64, false), names(Arch::Aarch64, false)].concat();
    for kind in [
        "data-disks",
        "forcedac",
        "late-iommu",
        "no-sandbox",
        "one-group",
        "passthrough",
        "rebind",
        "root-disk",
        "strict",
        "suspend",
        "terminal",
        "translate-four-cpus",
        "two-groups",
        "v2m-four-cpus",
        "vfio-in-guest",
        "vfio-one-domain",
        "wire-pairs",
        "wire-viommu",
    ] {
        assert!(days.iter().any(|name| name == kind), "{kind} is in no table of a day");
    }
}

#[test]
fn each_process_is_killed_by_day_at_each_moment_that_is_worth_it_on_some_architecture() {
    let day = |arch| all(arch, Gic::V3, false).into_iter().map(|it| it.guest.name);
    let days: Vec<String> = day(Arch::X86_64).chain(day(Arch::Aarch64)).collect();
    for (moment, victims) in [
        ("start", &["main", "island", "nvme", "rng"][..]),
        ("boot", &["main", "island", "nvme", "rng"]),
        ("dma", &["main", "island", "nvme"]),
        ("oracle", &["main", "island"]),
    ] {
        for victim in victims {
            let name = format!("kill-{victim}-{moment}");
            assert!(days.contains(&name), "{name} is in no table of a day");
        }
    }
}

fn killed(exit: i32, struck: &str) -> Report {
    Report { exit: Some(exit), struck: Some(struck.into()), said: "it died".into(), vcpus: Some(0), ..good() }
}

#[test]
fn a_kill_must_happen_at_its_moment_and_end_the_machine_as_documented() {
    let cases = [
        ("kill-main-dma", killed(137, "dma main"), ""),
        ("kill-main-dma", killed(33, "dma main"), "exit code Some(33), expected 137"),
        ("kill-island-dma", killed(33, "dma virtio-iommu"), ""),
        ("kill-island-dma", killed(1, "dma virtio-iommu"), "exit code Some(1), expected 33"),
        ("kill-island-dma", killed(33, "boot virtio-iommu"), "nothing was killed at dma"),
        ("kill-island-dma", Report { struck: None, ..killed(33, "") }, "nothing was killed at dma"),
        ("kill-island-dma", Report { said: "\n".into(), ..killed(33, "dma x") }, "did not say"),
        ("kill-nvme-start", killed(33, "start vfio"), ""),
        ("kill-nvme-start", killed(1, "start vfio"), ""),
        ("kill-nvme-start", Report { vcpus: Some(1), ..killed(1, "start x") }, "were there already"),
        ("kill-rng-idle", Report { processes: Some(2), ..killed(33, "idle x") }, "processes of the VMM"),
        ("kill-rng-idle", Report { host_faults: vec!["DMAR".into()], ..killed(33, "idle x") }, "DMAR"),
        ("kill-main-oracle", killed(137, "oracle main"), "`rig death` did not end well"),
        ("kill-main-oracle", Report { rig: vec!["exit 0 death".into()], ..killed(137, "oracle main") }, ""),
        (
            "kill-island-oracle",
            Report { rig: vec!["exit 1 death".into()], ..killed(33, "oracle x") },
            "did not",
        ),
    ];
    for (name, report, expected) in cases {
        let found = failures(&of(name), &report, &disk());
        let right = if expected.is_empty() { found.is_empty() } else { found.len() == 1 };
        assert!(right && found.join("").contains(expected), "{name}, {expected}: {found:?}");
    }
}

#[test]
fn a_disk_that_the_host_takes_back_must_be_let_go_with_a_word() {
    const SAID: &str = "WARN 0000:01:00.0: the host takes the device back";
    let taken = |exit, struck: Option<&str>, said: &str| Report {
        exit: Some(exit),
        struck: struck.map(str::to_owned),
        said: said.into(),
        ..good()
    };
    let cases = [
        (taken(0, Some("boot host"), SAID), ""),
        (taken(33, Some("boot host"), SAID), "exit code Some(33), expected 0"),
        (taken(0, None, SAID), "has not got the disk back"),
        (taken(0, Some("boot host"), "bye"), "did not say why"),
        (Report { stalled: true, ..taken(0, Some("boot host"), SAID) }, "ran on"),
        (Report { processes: Some(1), ..taken(0, Some("boot host"), SAID) }, "processes of the VMM"),
    ];
    for (report, expected) in cases {
        let found = failures(&of("taken-back"), &report, &disk());
        let right = if expected.is_empty() { found.is_empty() } else { found.len() == 1 };
        assert!(right && found.join("").contains(expected), "{expected}: {found:?}");
    }
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
    let names: Vec<_> =
        all(Arch::Aarch64, Gic::V3, true).into_iter().map(|scenario| scenario.guest.name).collect();
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

#[test]
fn an_errand_must_succeed_and_say_what_it_is_to_say() {
    let folder = std::env::temp_dir().join(format!("lab-errand-{}", std::process::id()));
    let errand = &GICV2_ERRANDS[1];
    let said = "has interrupts that are not known to be isolated\nReady: a run with this would start.\n";
    let write = |facts: &str, stderr: &str| {
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in [("console", said), ("stderr", stderr), ("facts", facts)] {
            std::fs::write(folder.join(name), text).unwrap();
        }
        errand.failures(&folder)
    };
    let last = "KVM can give the guest no other";
    assert_eq!(write("exit 0\n", last), Vec::<String>::new());
    assert!(write("exit 0\n", "")[0].contains(last));
    assert!(write("exit 1\n", last)[0].contains("ended with Some(1)"));
    std::fs::remove_dir_all(folder).unwrap();
}
