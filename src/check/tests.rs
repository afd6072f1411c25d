use base::Memlock;
use clap::Parser;
use serde_json::Value;

use super::*;
use crate::cmdline::{Cli, Command};
use crate::host::fake::FakeHost;
use crate::host::{GuestGics, KvmFacts, Trial};

fn run_with(host: &FakeHost, flags: &str) -> (anyhow::Result<u8>, String) {
    let words = ["mixvm", "check"].into_iter().chain(flags.split_whitespace());
    let Command::Check(args) = Cli::try_parse_from(words).unwrap().command else { panic!("not check") };
    let mut out = Vec::new();
    let outcome = run(&args, host, host.machine.arch, &mut out);
    (outcome, String::from_utf8(out).unwrap())
}

fn check(host: &FakeHost, flags: &str) -> (u8, String) {
    let (outcome, text) = run_with(host, flags);
    (outcome.unwrap(), text)
}

fn json(host: &FakeHost, flags: &str) -> (u8, Value) {
    let (code, text) = check(host, &format!("{flags} --json"));
    assert_eq!(text.lines().count(), 1, "{text}");
    (code, serde_json::from_str(&text).unwrap())
}

const DEVICE: &str = "--vfio 0000:01:00.0";

#[test]
fn ready_device_is_told_with_all_that_was_found() {
    let (code, text) = check(&FakeHost::new(Arch::X86_64), DEVICE);
    assert_eq!(code, 0, "{text}");
    for (label, value) in [
        ("/dev/kvm", "works"),
        ("guest addresses", "40 bits"),
        ("driver", "vfio-pci"),
        ("IOMMU group", "3"),
        ("devices", "0000:01:00.0 (vfio-pci)"),
        ("free of host", "yes"),
        ("attach", "works"),
        ("MSIs isolated", "yes"),
        ("reserved", "0xfee00000-0xfeefffff msi"),
        ("can map", "0x0-0xfedfffff"),
        ("page sizes", "4 KiB, 2 MiB, 1 GiB"),
        ("mappings", "65535 at most"),
        ("devices", "0000:01:00.0 at 01:00.0"),
        ("input range", "0x0-0x7fffffffff"),
        ("needed", "512 MiB"),
        ("limit", "none"),
    ] {
        let found =
            text.lines().any(|line| line.trim_start().starts_with(label) && line.trim_end().ends_with(value));
        assert!(found, "{label} {value}\n{text}");
    }
    assert!(text.contains("Ready:"), "{text}");
}

#[test]
fn controllers_for_guests_are_told_where_there_is_a_choice() {
    let mut host = FakeHost::new(Arch::Aarch64);
    let (_, text) = check(&host, DEVICE);
    assert!(text.contains("KVM offers      gicv3, its\n"), "{text}");
    host.machine.guest_gics = Some(GuestGics { v3: false, its: false, v2: true });
    assert_eq!(json(&host, DEVICE).1["guest_interrupt_controllers"], serde_json::json!(["gicv2"]));
    let (_, text) = check(&FakeHost::new(Arch::X86_64), DEVICE);
    assert!(!text.contains("KVM offers"), "{text}");
}

#[test]
fn obstacles_are_told_in_the_words_of_run() {
    let mut host = FakeHost::new(Arch::X86_64);
    host.add(2, 3).device_mut(2, |device| device.driver = Some("snd_hda_intel".into()));
    let (code, text) = check(&host, DEVICE);
    assert_eq!(code, FAILED, "{text}");
    for words in [
        "Not ready:",
        "(snd_hda_intel, holds the group)",
        "attach          not tried",
        "- IOMMU group 3 is not free",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    let (code, report) = json(&host, DEVICE);
    assert_eq!((code, &report["assignable"], &report["guest"]), (FAILED, &Value::Bool(false), &Value::Null));
    assert!(
        report["refusals"][0]["text"].as_str().unwrap().starts_with("IOMMU group 3 is not free"),
        "{report}"
    );
    assert_eq!(report["groups"][0]["members"][1]["viable"], Value::Bool(false));
}

#[test]
fn host_without_kvm_is_not_ready() {
    let mut host = FakeHost::new(Arch::X86_64);
    assert_eq!(
        json(&host, DEVICE).1["kvm"],
        serde_json::json!({"usable": true, "state": "works", "address_bits": 40})
    );
    for (kvm, state) in [(KvmFacts::Absent, "not there"), (KvmFacts::Denied, "not permitted to open it")] {
        host.machine.kvm = kvm;
        let (code, text) = check(&host, DEVICE);
        assert_eq!(code, FAILED, "{text}");
        assert!(text.starts_with(&format!("KVM\n  /dev/kvm        {state}\n")), "{text}");
        assert!(text.contains("Not ready:\n- /dev/kvm "), "{text}");
        let (code, report) = json(&host, DEVICE);
        assert_eq!((code, &report["assignable"]), (FAILED, &Value::Bool(false)));
        assert_eq!(report["kvm"], serde_json::json!({"usable": false, "state": state, "address_bits": null}));
        assert_eq!(report["refusals"][0]["subject"], "/dev/kvm");
    }
}

#[test]
fn flags_that_cannot_be_are_refused_in_the_form_that_was_asked_for() {
    let host = FakeHost::new(Arch::X86_64);
    for (flags, subject, words) in [
        ("-m 10", "--mem", "cannot be 10 MiB"),
        (
            ",guest-address=01:00.0 --vfio 0000:02:00.0,guest-address=01:00.0",
            "--vfio",
            "cannot have guest-address=01:00.0 twice",
        ),
        ("--irqchip its", "--irqchip", "does not apply"),
    ] {
        let flags =
            if flags.starts_with(',') { format!("{DEVICE}{flags}") } else { format!("{DEVICE} {flags}") };
        let (code, report) = json(&host, &flags);
        assert_eq!((code, &report["assignable"]), (FAILED, &Value::Bool(false)), "{flags}");
        let refusals = report["refusals"].as_array().unwrap();
        let told = (refusals.len(), refusals[0]["subject"].as_str(), refusals[0]["what"].as_str());
        assert_eq!(told, (1, Some(subject), Some(words)), "{flags}");
        assert_eq!(report.as_object().unwrap().len(), 2, "the host was not asked: {report}");
        let (outcome, out) = run_with(&host, &flags);
        assert!(outcome.unwrap_err().to_string().contains(words), "{flags}");
        assert_eq!(out, "", "the error goes where main prints errors");
    }
}

#[test]
fn memory_that_cannot_be_laid_out_is_told_beside_what_was_found() {
    let host = FakeHost::new(Arch::X86_64);
    let (code, report) = json(&host, &format!("{DEVICE} -m 2097152"));
    assert_eq!((code, &report["devices"][0]["group"]), (FAILED, &Value::from(3)), "{report}");
    let said: Vec<_> = report["refusals"].as_array().unwrap().iter().map(|entry| &entry["subject"]).collect();
    assert_eq!(said, ["the machine"], "{report}");
}

#[test]
fn limit_is_told_where_it_holds() {
    let mut host = FakeHost::new(Arch::X86_64);
    (host.machine.memlock, host.machine.locks_at_will) = (Memlock::Bytes(8 << 20), true);
    let beside = "--vfio 0000:01:00.0,iommu=off";
    for (flags, code, limit) in [
        (DEVICE.to_owned(), FAILED, Some(8 << 20)),
        (format!("{DEVICE} --disable-sandbox"), 0, None),
        (beside.to_owned(), 0, None),
    ] {
        let (found, report) = json(&host, &flags);
        let memlock = serde_json::json!({"guest_ram": 512 << 20, "needed": 512 << 20, "limit": limit});
        assert_eq!((found, &report["memlock"]), (code, &memlock), "{flags}");
    }
}

#[test]
fn json_form_holds_what_scripts_need() {
    let (code, report) = json(&FakeHost::new(Arch::Aarch64), "--vfio 0000:01:00.0 -m 1024");
    assert_eq!(code, 0, "{report}");
    assert_eq!(report["assignable"], Value::Bool(true));
    assert_eq!(report["devices"][0]["address"], "0000:01:00.0");
    assert_eq!(report["devices"][0]["bind_commands"], serde_json::json!([]));
    let window = |kind: &str| serde_json::json!([{"start": 0x800_0000, "last": 0x80f_ffff, "kind": kind}]);
    assert_eq!(
        (&report["groups"][0]["reserved"], &report["guest"]["reserved"]),
        (&window("msi"), &window("msi"))
    );
    assert_eq!(report["guest"]["msi_frame"], serde_json::json!({"start": 0x808_0000, "last": 0x809_ffff}));
    assert_eq!(
        report["memlock"],
        serde_json::json!({"guest_ram": 1u64 << 30, "needed": 1u64 << 30, "limit": null})
    );
}

#[test]
fn unbound_device_comes_with_its_commands() {
    let mut host = FakeHost::new(Arch::X86_64);
    host.device_mut(1, |device| device.driver = Some("nvme".into()));
    let (_, report) = json(&host, DEVICE);
    assert_eq!(report["devices"][0]["bind_commands"].as_array().unwrap().len(), 3);
    assert_eq!(report["devices"][0]["bound_to_vfio"], Value::Bool(false));
}

#[test]
fn absent_device_is_no_reason_to_say_nothing() {
    let (code, text) = check(&FakeHost::new(Arch::X86_64), "--vfio 0000:09:00.0");
    assert_eq!(code, FAILED);
    assert!(text.contains("0000:09:00.0: no PCI device of this host"), "{text}");
    assert!(text.contains("- 0000:09:00.0 is not there"), "{text}");
}

#[test]
fn isolation_is_judged_by_what_the_host_did() {
    let mut host = FakeHost::new(Arch::X86_64);
    host.group_mut(3).trial = Trial::IommuRefused(1);
    let (_, report) = json(&host, DEVICE);
    assert_eq!(
        (report["groups"][0]["msis_isolated"].as_str(), report["groups"][0]["attach"].as_str()),
        (Some("no"), Some("refused by the IOMMU driver: Operation not permitted (os error 1)"))
    );
    let mut host = FakeHost::new(Arch::X86_64);
    host.machine.chips = crate::host::Isolation::Unknown;
    assert_eq!(
        json(&host, DEVICE).1["groups"][0]["msis_isolated"],
        "yes",
        "the kernel let it in by its own rule"
    );
    host.machine.unsafe_allowed = Some(true);
    assert_eq!(json(&host, DEVICE).1["groups"][0]["msis_isolated"], "unknown");
}
