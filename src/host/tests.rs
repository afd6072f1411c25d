use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::fake::{FakeHost, region};
use super::*;
use crate::cmdline::IrqchipArg;
use crate::config::VfioConfig;

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn join(root: &Path, path: &str, target: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    symlink(target, path).unwrap();
}

/// A tree with an NVMe behind a root port, one group for both, and a platform device.
fn tree() -> (tempfile::TempDir, SysfsHost) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for (bdf, class, driver, folder) in [
        ("0000:00:02.0", "0x060400", "pcieport", "sys/devices/pci0000:00/0000:00:02.0"),
        ("0000:01:00.0", "0x010802", "nvme", "sys/devices/pci0000:00/0000:00:02.0/0000:01:00.0"),
    ] {
        put(root, &format!("{folder}/class"), class);
        put(root, &format!("{folder}/vendor"), "0x1b36\n");
        put(root, &format!("{folder}/device"), "0x0010\n");
        join(root, &format!("{folder}/driver"), &format!("../../../bus/pci/drivers/{driver}"));
        join(root, &format!("{folder}/subsystem"), "../../../bus/pci");
        join(root, &format!("{folder}/iommu_group"), "../../../kernel/iommu_groups/7");
        join(root, &format!("sys/bus/pci/devices/{bdf}"), &root.join(folder).display().to_string());
        put(root, &format!("sys/kernel/iommu_groups/7/devices/{bdf}"), "");
    }
    let resource = concat!(
        "0x00000000fe000000 0x00000000fe003fff 0x0000000000140204\n",
        "0x0000000000000000 0x0000000000000000 0x0000000000000000\n",
        "0x0000004000000000 0x0000004fffffffff 0x000000000014220c\n",
        "0x0000000000000000 0x0000000000000000 0x0000000000000000\n",
        "0x000000000000e000 0x000000000000e07f 0x0000000000040101\n",
        "0x0000000000000000 0x0000000000000000 0x0000000000000000\n",
        "0x00000000fd000000 0x00000000fd07ffff 0x0000000000046200\n",
    );
    put(root, "sys/devices/pci0000:00/0000:00:02.0/0000:01:00.0/resource", resource);
    put(root, "sys/devices/platform/serial/subsystem_name", "");
    join(root, "sys/devices/platform/serial/subsystem", "../../../bus/platform");
    join(root, "sys/devices/platform/0000:03:00.0/subsystem", "../../../bus/platform");
    let regions =
        "0x0000000000001000 0x0000000000001fff direct-relaxable\n0x00000000fee00000 0x00000000feefffff msi\n";
    put(root, "sys/kernel/iommu_groups/7/reserved_regions", regions);
    put(root, "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "N\n");
    put(root, "sys/kernel/irq/24/chip_name", "IR-PCI-MSI-0000:01:00.0\n");
    put(root, "dev/vfio/vfio", "");
    put(root, "dev/vfio/7", "");
    let host = SysfsHost::at(root.join("sys"), root.join("dev"), Arch::X86_64);
    (dir, host)
}

#[test]
fn device_is_found_by_address_and_by_any_path_to_it() {
    let (dir, host) = tree();
    let expected = DeviceFacts {
        bdf: "0000:01:00.0".parse().unwrap(),
        class: 0x01_0802,
        ids: (0x1b36, 0x0010),
        driver: Some("nvme".into()),
        group: Some(7),
        bars: vec![HostBar { size: 0x4000, high: false }, HostBar { size: 64 << 30, high: true }],
    };
    let own = dir.path().join("shortcut");
    symlink(dir.path().join("sys/bus/pci/devices/0000:01:00.0"), &own).unwrap();
    for path in [
        "0000:01:00.0",
        "01:00.0",
        "/sys/bus/pci/devices/0000:01:00.0",
        "/sys/bus/pci/devices/0000:01:00.0/",
        "/sys/devices/pci0000:00/0000:00:02.0/0000:01:00.0",
        own.to_str().unwrap(),
    ] {
        assert_eq!(host.device(path), Lookup::Found(expected.clone()), "{path}");
    }
}

#[test]
fn what_is_no_pci_device_is_told_apart_from_what_is_absent() {
    let (_dir, host) = tree();
    assert!(
        matches!(host.device("/sys/devices/platform/serial"), Lookup::NotPci(path) if path.ends_with("serial"))
    );
    assert!(
        matches!(host.device("/sys/devices/platform/0000:03:00.0"), Lookup::NotPci(_)),
        "the name alone is no proof"
    );
    assert!(matches!(host.device("/sys/devices/pci0000:00"), Lookup::NotPci(_)));
    assert_eq!(host.device("0000:05:00.0"), Lookup::Absent);
    assert_eq!(host.device("/sys/bus/pci/devices/0000:05:00.0"), Lookup::Absent);
    assert_eq!(host.device("nvme0"), Lookup::Absent);
}

#[test]
fn group_lists_members_regions_and_node() {
    let (_dir, host) = tree();
    let group = host.group(7);
    let names: Vec<String> = group.members.iter().map(|member| member.bdf.to_string()).collect();
    assert_eq!(names, ["0000:00:02.0", "0000:01:00.0"]);
    assert!(group.members[0].is_bridge() && group.members[0].leaves_group_viable());
    assert!(!group.members[1].is_bridge() && !group.members[1].leaves_group_viable());
    assert_eq!(
        group.reserved,
        [
            region(0x1000, 0x1fff, HostRegionKind::DirectRelaxable),
            region(0xfee0_0000, 0xfeef_ffff, HostRegionKind::Msi)
        ]
    );
    assert_eq!((group.node, group.noiommu), (Access::Granted, false));
    assert_eq!(host.group(8).node, Access::Absent);
}

#[test]
fn machine_is_read_from_its_files() {
    let (dir, host) = tree();
    let machine = host.machine();
    assert_eq!((machine.container_node, machine.kvm), (Access::Granted, KvmFacts::Absent));
    assert_eq!(
        (machine.unsafe_allowed, machine.chips, machine.gic),
        (Some(false), Isolation::Isolated, None)
    );
    put(dir.path(), "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y\n");
    assert_eq!(host.machine().unsafe_allowed, Some(true));
    fs::remove_dir_all(dir.path().join("sys/module")).unwrap();
    assert_eq!(host.machine().unsafe_allowed, None);
    put(dir.path(), "dev/kvm", "");
    let kvm = host.machine().kvm;
    assert!(matches!(&kvm, KvmFacts::Unusable(why) if why.contains("KVM version -1")), "{kvm:?}");
}

#[test]
fn drivers_that_give_a_device_up_are_known() {
    let mut host = FakeHost::new(Arch::X86_64);
    for (driver, given_up, viable) in [
        (Some("vfio-pci"), true, true),
        (Some("mlx5_vfio_pci"), true, true),
        (Some("pci-stub"), false, true),
        (Some("pcieport"), false, true),
        (None, false, true),
        (Some("nvme"), false, false),
        (Some("vfio-mdev"), false, false),
    ] {
        host.device_mut(1, |device| device.driver = driver.map(str::to_owned));
        let device = &host.devices[0];
        assert_eq!((device.is_given_up(), device.leaves_group_viable()), (given_up, viable), "{driver:?}");
    }
}

#[test]
fn lines_of_reserved_regions_are_read_as_far_as_they_make_sense() {
    let text = "0x1000 0x1fff direct\n\nnonsense\n0x2000 0x1000 msi\n0x0 0xffffffffffffffff reserved\n0x5000 0x5fff new-kind\n";
    let whole = region(0, u64::MAX, HostRegionKind::Reserved);
    assert_eq!(
        reserved::parse(text),
        [
            region(0x1000, 0x1fff, HostRegionKind::Direct),
            whole,
            region(0x5000, 0x5fff, HostRegionKind::Reserved)
        ]
    );
}

#[test]
fn chip_names_tell_isolation_and_controller() {
    for (arch, chips, isolation, gic) in [
        (Arch::X86_64, &["IO-APIC", "PCI-MSI-0000:01:00.0"][..], Isolation::Shared, None),
        (Arch::X86_64, &["IR-IO-APIC", "IR-PCI-MSI"], Isolation::Isolated, None),
        (Arch::X86_64, &[], Isolation::Unknown, None),
        (Arch::Aarch64, &["GICv3", "ITS-PCI-MSI-0000:01:00.0"], Isolation::Isolated, Some(HostGic::V3)),
        (Arch::Aarch64, &["GICv2", "GICv2m-PCI-MSI"], Isolation::Shared, Some(HostGic::V2)),
        (Arch::Aarch64, &["GIC-0", "MSI"], Isolation::Unknown, Some(HostGic::V2)),
        (Arch::Aarch64, &["GICv3", "GICv2m", "ITS-MSI"], Isolation::Unknown, Some(HostGic::V3)),
    ] {
        let chips: Vec<String> = chips.iter().map(ToString::to_string).collect();
        assert_eq!((irqchip::isolation(arch, &chips), irqchip::gic(&chips)), (isolation, gic), "{chips:?}");
    }
}

#[test]
fn only_groups_that_may_work_are_tried_and_each_once() {
    let device = |path: &str| VfioConfig {
        path: path.into(),
        behind_viommu: true,
        guest_address: None,
        unsafe_interrupts: false,
    };
    let assignment = Assignment {
        arch: Arch::X86_64,
        memory: 1 << 29,
        viommu: None,
        vfio: vec![device("0000:01:00.0"), device("0000:02:00.0"), device("0000:09:00.0")],
        emulated: Vec::new(),
        irqchip: IrqchipArg::Auto,
        jailed: true,
    };
    let mut host = FakeHost::new(Arch::X86_64);
    host.add(2, 4);
    let facts = gather(&host, &assignment);
    assert_eq!(facts.devices[2], Lookup::Absent);
    assert!(facts.groups.values().all(|group| matches!(group.trial, Trial::Attached(_))));
    host.device_mut(2, |device| device.driver = Some("nvme".into()));
    let facts = gather(&host, &assignment);
    assert_eq!(facts.groups[&4].trial, Trial::NotTried);
    assert!(matches!(facts.groups[&3].trial, Trial::Attached(_)));
}

#[test]
fn the_guests_controller_is_the_best_that_kvm_offers() {
    let best = |v3, its, v2| GuestGics { v3, its, v2 }.best();
    assert_eq!(best(true, true, true), Some(HostGic::V3));
    assert_eq!(best(true, false, false), Some(HostGic::V3));
    assert_eq!(best(false, false, true), Some(HostGic::V2));
    assert_eq!(best(false, false, false), None);
}
