//! The emulator's command line for each architecture and device.

use clap::ValueEnum;

use super::{Device, Host, Idle};
use crate::arch::{Arch, Gic};

fn host(arch: Arch, devices: &[Device]) -> Host<'_> {
    Host {
        arch,
        gic: Gic::V3,
        kernel: "/k".into(),
        initrd: "/i".into(),
        disk: "/a,b/disk".into(),
        share: "/s,hare".into(),
        devices,
        memory_mib: 2048,
        cpus: 2,
        idle: Idle::Halt,
        peer: None,
        interactive: false,
    }
}

fn value_after<'a>(words: &'a [String], option: &str, part: &str) -> &'a str {
    let mut pairs = words.windows(2).filter(|pair| pair[0] == option);
    pairs.find(|pair| pair[1].contains(part)).map(|pair| pair[1].as_str()).unwrap()
}

#[test]
fn a_peer_is_shared_read_only() {
    let with = Host { peer: Some("/p,eer".into()), cpus: 4, ..host(Arch::X86_64, &[]) }.words();
    assert!(value_after(&with, "-fsdev", "id=peer").ends_with(",readonly=on,path=/p,,eer"));
    assert_eq!(value_after(&with, "-smp", ""), "4");
    assert!(!host(Arch::X86_64, &[]).words().iter().any(|word| word.contains("peer")));
}

#[test]
fn every_device_sits_behind_its_own_root_port() {
    for arch in Arch::value_variants() {
        let words = host(*arch, &[Device::Nvme, Device::E1000e]).words();
        assert!(value_after(&words, "-device", "nvme,").ends_with("bus=rp1"));
        assert!(value_after(&words, "-device", "e1000e,").ends_with("bus=rp2"));
        assert!(value_after(&words, "-device", "id=rp2,").contains("chassis=2,slot=2"));
    }
}

#[test]
fn pair_shares_a_slot() {
    let devices = [Device::Nvme, Device::E1000e, Device::PairedNvme, Device::PairedE1000e];
    let words = host(Arch::X86_64, &devices).words();
    let one = |part: &str| words.iter().filter(|word| word.contains(part)).count();
    assert_eq!((one("pcie-root-port"), one("bus=rp3")), (3, 2));
    assert!(value_after(&words, "-device", "drive=nv3").ends_with("bus=rp3,multifunction=on,addr=0.0"));
    assert!(value_after(&words, "-device", "netdev=net3").ends_with("bus=rp3,addr=0.1"));
}

#[test]
fn the_iommu_stands_before_the_devices_that_it_translates() {
    let words = host(Arch::X86_64, &[Device::Nvme]).words();
    let at = |part: &str| words.iter().position(|word| word.starts_with(part)).unwrap();
    assert!(at("intel-iommu") < at("nvme,"));
}

#[test]
fn commas_in_paths_do_not_split_options() {
    let words = host(Arch::Aarch64, &[Device::Nvme]).words();
    assert!(value_after(&words, "-drive", "file=").starts_with("file=/a,,b/disk,id=nv1,if=none"));
    assert!(value_after(&words, "-fsdev", "local").ends_with("path=/s,,hare"));
}

#[test]
fn guests_cannot_alter_the_pattern_or_reach_a_network() {
    let words = host(Arch::X86_64, &[Device::Nvme, Device::E1000e]).words();
    assert!(value_after(&words, "-drive", "file=").contains("snapshot=on"));
    assert!(value_after(&words, "-netdev", "user").contains("restrict=on"));
}

#[test]
fn the_host_is_told_which_modules_its_kvm_needs() {
    let line = |arch| value_after(&host(arch, &[]).words(), "-append", "console=").to_owned();
    assert!(line(Arch::X86_64).contains("lab.modules=kvm-amd"));
    assert!(!line(Arch::Aarch64).contains("lab.modules"));
}

#[test]
fn idle_processors_stay_awake_when_that_is_asked_for() {
    for (arch, word) in [(Arch::X86_64, "idle=poll"), (Arch::Aarch64, "nohlt")] {
        for idle in [Idle::Halt, Idle::Poll] {
            let words = Host { idle, ..host(arch, &[]) }.words();
            let line = words.iter().skip_while(|at| *at != "-append").nth(1).expect("a kernel command line");
            assert_eq!(line.split(' ').any(|at| at == word), idle == Idle::Poll, "{arch:?}");
        }
    }
}
