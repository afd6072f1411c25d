//! Each refusal, by the way a host or a wish is spoiled, and what the sentence must say.

use super::*;

type Spoil = fn(&mut FakeHost, &mut Assignment);

/// What is spoiled, and words that must be in the only refusal.
const CASES: &[(&str, Spoil, &[&str])] = &[
    ("absent", |_, wish| wish.vfio[0].path = "0000:09:00.0".into(), &["0000:09:00.0 is not there"]),
    (
        "platform device",
        |_, wish| wish.vfio[0].path = "/sys/bus/platform/devices/x".into(),
        &["is not a PCI device", "it leads to /sys/bus/platform/devices/x"],
    ),
    (
        "bridge",
        |host, _| {
            host.device_mut(1, |device| device.class = 0x06_0400);
        },
        &["cannot be assigned: it is a PCI bridge"],
    ),
    (
        "no group",
        |host, _| {
            host.device_mut(1, |device| device.group = None);
        },
        &["0000:01:00.0 is in no IOMMU group", "intel_iommu=on"],
    ),
    (
        "bound to its own driver",
        |host, _| host.drive(1, Some("nvme")),
        &[
            "0000:01:00.0 is not bound to vfio-pci: its driver is nvme",
            "echo vfio-pci > /sys/bus/pci/devices/0000:01:00.0/driver_override",
            "echo 0000:01:00.0 > /sys/bus/pci/devices/0000:01:00.0/driver/unbind",
            "echo 0000:01:00.0 > /sys/bus/pci/drivers_probe",
        ],
    ),
    (
        "bound to nothing",
        |host, _| {
            host.device_mut(1, |device| device.driver = None).group_mut(3).node = Access::Absent;
        },
        &["is not bound to vfio-pci: it has no driver", "driver_override", "drivers_probe"],
    ),
    (
        "group not free",
        |host, _| {
            host.add(2, 3).device_mut(2, |device| device.driver = Some("snd_hda_intel".into()));
        },
        &["IOMMU group 3 is not free", "0000:02:00.0 (snd_hda_intel)", "devices/0000:02:00.0/driver/unbind"],
    ),
    ("twice", |_, wish| wish.vfio.push(device(1)), &["0000:01:00.0 is given twice"]),
    (
        "twice, by two names",
        |_, wish| {
            wish.vfio.push(VfioConfig { path: "/sys/bus/pci/devices/0000:01:00.0".into(), ..device(1) })
        },
        &["0000:01:00.0 is given twice"],
    ),
    (
        "group on both sides",
        |host, wish| {
            host.add(2, 3);
            wish.vfio.push(VfioConfig { behind_viommu: false, ..device(2) });
        },
        &[
            "IOMMU group 3 cannot be split",
            "0000:01:00.0 is behind the virtual IOMMU and 0000:02:00.0 is not",
        ],
    ),
    (
        "no module",
        |host, _| host.machine.container_node = Access::Absent,
        &["/dev/vfio/vfio is not there: VFIO is not loaded", "modprobe vfio-pci"],
    ),
    (
        "container denied",
        |host, _| host.machine.container_node = Access::Denied,
        &["/dev/vfio/vfio cannot be opened", "may not read and write"],
    ),
    (
        "no group node",
        |host, _| host.group_mut(3).node = Access::Absent,
        &["/dev/vfio/3 is not there", "though a device of it is bound"],
    ),
    (
        "group denied",
        |host, _| host.group_mut(3).node = Access::Denied,
        &["/dev/vfio/3 cannot be opened", "chown $USER /dev/vfio/3"],
    ),
    ("denied at open", |host, _| host.group_mut(3).trial = Trial::Denied, &["/dev/vfio/3 cannot be opened"]),
    ("no IOMMU mode", |host, _| host.group_mut(3).noiommu = true, &["IOMMU group 3 has no IOMMU"]),
    (
        "in use",
        |host, _| host.group_mut(3).trial = Trial::Busy,
        &["IOMMU group 3 cannot be attached: another program has it open"],
    ),
    (
        "other owner",
        |host, _| host.group_mut(3).trial = Trial::GroupRefused(1),
        &["cannot be attached", "another owner (EPERM)"],
    ),
    (
        "domain in use",
        |host, _| host.group_mut(3).trial = Trial::GroupRefused(16),
        &["still uses its IOMMU domain (EBUSY)"],
    ),
    (
        "kernel keeps it",
        |host, _| host.group_mut(3).trial = Trial::GroupRefused(22),
        &["the kernel refuses it (EINVAL)", "RMRR"],
    ),
    (
        "other errno",
        |host, _| host.group_mut(3).trial = Trial::IommuRefused(12),
        &["cannot be attached: the kernel answered", "os error 12"],
    ),
    (
        "unreadable facts",
        |host, _| host.group_mut(3).trial = Trial::Failed("no page size".into()),
        &["cannot be attached: no page size"],
    ),
    (
        "not tried",
        |host, _| host.group_mut(3).trial = Trial::NotTried,
        &["cannot be attached: it was not tried"],
    ),
    (
        "firmware memory",
        |host, _| host.group_mut(3).reserved.push(region(0x9000, 0x9fff, HostRegionKind::Direct)),
        &["IOMMU group 3 cannot be assigned: firmware keeps 0x9000-0x9fff mapped", "RMRR"],
    ),
    (
        "MSIs not isolated",
        |host, _| host.group_mut(3).trial = Trial::IommuRefused(1),
        &[
            "IOMMU group 3 cannot be attached: its interrupts (MSIs) are not isolated",
            "--vfio 0000:01:00.0,unsafe-interrupts=on",
            "vfio_iommu_type1.allow_unsafe_interrupts=1",
        ],
    ),
    (
        "MSIs not isolated, user willing, host not",
        |host, wish| {
            host.group_mut(3).trial = Trial::IommuRefused(1);
            wish.vfio[0].unsafe_interrupts = true;
        },
        &["unsafe-interrupts=on is not enough, the host must allow it", "allow_unsafe_interrupts=1"],
    ),
    (
        "MSIs shared, host willing, user not",
        |host, _| {
            host.machine.unsafe_allowed = Some(true);
            host.machine.chips = Isolation::Shared;
        },
        &[
            "not known to be isolated: the host does not remap interrupts",
            "--vfio 0000:01:00.0,unsafe-interrupts=on",
        ],
    ),
    (
        "MSIs unknown, host willing, user not",
        |host, _| {
            host.machine.unsafe_allowed = Some(true);
            host.machine.chips = Isolation::Unknown;
        },
        &["nothing shows that it keeps those of the device apart"],
    ),
    (
        "apertures that do not meet",
        |host, wish| {
            host.add(2, 4);
            let Trial::Attached(aperture) = &mut host.group_mut(4).trial else { panic!() };
            aperture.ranges = vec![span(1 << 40, 1 << 41)];
            wish.vfio.push(device(2));
        },
        &["the virtual IOMMU has no address that all devices can use"],
    ),
];

use crate::host::Isolation;

#[test]
fn each_obstacle_is_refused_in_one_sentence_that_helps() {
    for (name, spoil, words) in CASES {
        let mut host = FakeHost::new(Arch::X86_64);
        let mut wish = assignment(Arch::X86_64, &[device(1)]);
        good(&host, &wish);
        spoil(&mut host, &mut wish);
        let refusals = planned(&host, &wish, &GuestMap::default()).expect_err(name);
        assert_eq!(refusals.len(), 1, "{name}: {refusals:#?}");
        let text = refusals[0].to_string();
        for word in *words {
            assert!(text.contains(word), "{name}: {word}\n{text}");
        }
        assert!(!refusals[0].remedy.is_empty(), "{name}");
    }
}

#[test]
fn unbound_device_without_a_driver_is_not_told_to_unbind() {
    let mut host = FakeHost::new(Arch::X86_64);
    host.device_mut(1, |device| device.driver = None);
    let refusals = planned(&host, &assignment(Arch::X86_64, &[device(1)]), &GuestMap::default()).unwrap_err();
    assert!(!refusals[0].to_string().contains("/unbind"), "{}", refusals[0]);
}

#[test]
fn what_is_no_obstacle_is_let_through() {
    let cases: &[(&str, Spoil)] = &[
        ("bridge in the group keeps its driver", |host, _| {
            host.add(2, 3).device_mut(2, |device| {
                device.driver = Some("pcieport".into());
                device.class = 0x06_0400;
            });
        }),
        ("member without a driver", |host, _| host.add(2, 3).drive(2, None)),
        ("host and user accept unsafe interrupts", |host, wish| {
            host.machine.unsafe_allowed = Some(true);
            host.machine.chips = Isolation::Shared;
            wish.vfio[0].unsafe_interrupts = true;
        }),
        ("host accepts unsafe interrupts and needs not", |host, _| host.machine.unsafe_allowed = Some(true)),
        ("user accepts unsafe interrupts and needs not", |_, wish| wish.vfio[0].unsafe_interrupts = true),
        ("attach worked though chip names say nothing", |host, _| host.machine.chips = Isolation::Unknown),
        ("KVM is not the plan's business", |host, _| host.machine.kvm = KvmFacts::Absent),
        ("variant driver", |host, _| {
            host.device_mut(1, |device| device.driver = Some("mlx5_vfio_pci".into()));
        }),
    ];
    for (name, spoil) in cases {
        let mut host = FakeHost::new(Arch::X86_64);
        let mut wish = assignment(Arch::X86_64, &[device(1)]);
        spoil(&mut host, &mut wish);
        assert!(
            planned(&host, &wish, &GuestMap::default()).is_ok(),
            "{name}: {:#?}",
            planned(&host, &wish, &GuestMap::default())
        );
    }
}

#[test]
fn all_refusals_are_told_together() {
    let mut host = FakeHost::new(Arch::X86_64);
    host.device_mut(1, |device| device.driver = Some("nvme".into())).machine.memlock =
        Memlock::Bytes(8 << 20);
    let wish = assignment(Arch::X86_64, &[device(1), device(7)]);
    let refusals = planned(&host, &wish, &GuestMap::default()).unwrap_err();
    let subjects: Vec<&str> = refusals.iter().map(|refusal| refusal.subject.as_str()).collect();
    assert_eq!(subjects, ["0000:01:00.0", "0000:07:00.0", "the memory-lock limit"]);
}

#[test]
fn guest_memory_in_a_region_of_the_host_is_refused_with_both_ranges() {
    let ht = region(0xfd_0000_0000, 0xff_ffff_ffff, HostRegionKind::Reserved);
    let relaxable = region(0x7000_0000, 0x7fff_ffff, HostRegionKind::DirectRelaxable);
    let ram = |start, last| GuestMap { ram: vec![span(start, last)], ..GuestMap::default() };
    let bar = |start, last| GuestMap { bars: vec![span(start, last)], ..GuestMap::default() };
    let fixed = |start, last| GuestMap { fixed: vec![span(start, last)], ..GuestMap::default() };
    let (arm, x86) = (Arch::Aarch64, Arch::X86_64);
    let in_window = "reserves 0x8000000-0x80fffff (msi) on the host: the guest has RAM at 0x0-0x3fffffff";
    for (arch, extra, map, words) in [
        (arm, None, ram(0, 0x3fff_ffff), Some(in_window)),
        (arm, None, ram(0x4000_0000, 0x7fff_ffff), None),
        (arm, None, bar(0x80f_ffff, 0x900_0000), Some("a BAR window at 0x80fffff-0x9000000")),
        (arm, None, fixed(0x80f_0000, 0x80f_ffff), None),
        (x86, Some(ht), ram(1 << 32, 0xfd_0000_0000), Some("reserves 0xfd00000000-0xffffffffff (reserved)")),
        (x86, Some(ht), ram(1 << 32, 0xfc_ffff_ffff), None),
        (x86, None, ram(0, 0xffff_ffff), None),
        (x86, Some(relaxable), ram(0, 0x7fff_ffff), None),
    ] {
        let mut host = FakeHost::new(arch);
        let group = host.group_mut(3);
        group.reserved.extend(extra);
        group.trial = Trial::Attached(aperture(48, &[]));
        let result = planned(&host, &assignment(arch, &[device(1)]), &map);
        match (words, result) {
            (None, result) => assert!(result.is_ok(), "{map:?}: {result:#?}"),
            (Some(words), Err(refusals)) => {
                let text = refusals[0].to_string();
                assert!(
                    refusals.len() == 1 && text.starts_with("IOMMU group 3") && text.contains(words),
                    "{text}"
                );
            }
            (Some(words), Ok(plan)) => panic!("{words}: {plan:#?}"),
        }
    }
}

#[test]
fn memory_beyond_the_aperture_stops_only_devices_that_have_all_of_it() {
    let host = FakeHost::new(Arch::X86_64);
    let far = GuestMap { ram: vec![span(0x1_0000_0000, 1 << 39)], ..GuestMap::default() };
    let plan = planned(&host, &assignment(Arch::X86_64, &[device(1)]), &far).unwrap();
    assert!(plan.warnings[0].contains("bypass will be refused"), "{:?}", plan.warnings);
    let mut bypassing = assignment(Arch::X86_64, &[device(1)]);
    bypassing.viommu.as_mut().unwrap().bypass_at_boot = true;
    let refusals = planned(&host, &bypassing, &far).unwrap_err();
    assert!(refusals[0].to_string().contains("leave bypass-at-boot out"), "{}", refusals[0]);
    let beside = VfioConfig { behind_viommu: false, ..device(1) };
    let refusals = planned(&host, &assignment(Arch::X86_64, &[beside]), &far).unwrap_err();
    assert!(refusals[0].to_string().contains("with iommu=off all of it must be mapped"), "{}", refusals[0]);
    let near = GuestMap { ram: vec![span(0, 0x7fff_ffff)], ..GuestMap::default() };
    let mut from_64k = FakeHost::new(Arch::X86_64);
    from_64k.group_mut(3).trial = Trial::Attached(aperture(39, &[span(0, 0xffff)]));
    let plan = planned(&from_64k, &assignment(Arch::X86_64, &[device(1)]), &near).unwrap();
    assert!(plan.warnings[0].contains("maps 0x10000-0x7fffffffff only"), "{:?}", plan.warnings);
}

/// What `check` and `run` are told of a machine with one processor.
fn decided(host: &FakeHost, assignment: &Assignment) -> Vec<String> {
    let refusals = decide(assignment, 1, &gather(host, assignment)).err().unwrap_or_default();
    refusals.iter().map(ToString::to_string).collect()
}

#[test]
fn kvm_that_cannot_be_used_is_refused_with_what_else_there_is() {
    let unusable = KvmFacts::Unusable("it answers with version 11".into());
    for (arch, kvm, words) in [
        (Arch::X86_64, KvmFacts::Works { address_bits: 40 }, None),
        (Arch::X86_64, KvmFacts::Absent, Some(("/dev/kvm is not there", "kvm_intel"))),
        (Arch::Aarch64, KvmFacts::Absent, Some(("/dev/kvm is not there", "EL2"))),
        (Arch::X86_64, KvmFacts::Denied, Some(("/dev/kvm cannot be opened", "the group that owns"))),
        (Arch::X86_64, unusable, Some(("/dev/kvm cannot be used: it answers with version 11", "dmesg"))),
    ] {
        let mut host = FakeHost::new(arch);
        let wish = assignment(arch, &[device(1)]);
        host.machine.kvm = kvm;
        let said = decided(&host, &wish);
        let Some((start, part)) = words else {
            assert!(said.is_empty(), "{said:#?}");
            continue;
        };
        assert!(said.len() == 1 && said[0].starts_with(start) && said[0].contains(part), "{said:#?}");
        host.drive(1, Some("nvme"));
        let both = decided(&host, &wish);
        assert!(both.len() == 2 && both[0] == said[0] && both[1].contains("vfio-pci"), "{both:#?}");
    }
}

#[test]
fn memory_must_fit_the_addresses_that_kvm_gives() {
    let mut host = FakeHost::new(Arch::X86_64);
    let wish = Assignment { memory: 768 << 30, ..assignment(Arch::X86_64, &[device(1)]) };
    for (bits, fits) in [(36, false), (39, false), (40, true), (46, true)] {
        host.machine.kvm = KvmFacts::Works { address_bits: bits };
        let said = decided(&host, &wish);
        assert_eq!(said.is_empty(), fits, "{bits}: {said:#?}");
        assert!(fits || said[0].starts_with("the machine cannot be laid out"), "{said:#?}");
    }
    host.machine.kvm = KvmFacts::Works { address_bits: 36 };
    host.drive(1, Some("nvme"));
    assert_eq!(decided(&host, &wish).len(), 2, "the device's own refusal is told with it");
}
