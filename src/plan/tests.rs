use base::Memlock;

use super::*;
use crate::cmdline::IrqchipArg;
use crate::config::{Arch, EmulatedConfig, VfioConfig, ViommuConfig};
use crate::host::fake::{ARM_MSI, FakeHost, X86_MSI, aperture, region, span};
use crate::host::{Access, HostRegionKind, gather};

mod bars;
mod placement;
mod published;
mod refusals;
mod shared;

/// A device behind the virtual IOMMU, on bus `bus` of the host.
fn device(bus: u8) -> VfioConfig {
    VfioConfig {
        path: format!("0000:{bus:02x}:00.0"),
        behind_viommu: true,
        guest_address: None,
        unsafe_interrupts: false,
    }
}

fn assignment(arch: Arch, devices: &[VfioConfig]) -> Assignment {
    Assignment {
        arch,
        memory: 512 << 20,
        viommu: Some(ViommuConfig { msi: MsiMode::Bypass, bypass_at_boot: false, poll: PollMode::Auto }),
        vfio: devices.to_vec(),
        emulated: vec![EmulatedConfig { kind: Emulated::Rng, behind_viommu: false }],
        irqchip: IrqchipArg::Auto,
        jailed: true,
    }
}

fn planned(host: &FakeHost, assignment: &Assignment, map: &GuestMap) -> Result<Plan, Vec<Refusal>> {
    plan(assignment, &gather(host, assignment), map)
}

fn good(host: &FakeHost, assignment: &Assignment) -> Plan {
    planned(host, assignment, &GuestMap::default()).unwrap_or_else(|refusals| panic!("{refusals:#?}"))
}

fn disk(name: &str, behind_viommu: bool) -> EmulatedConfig {
    let options = ::devices::virtio::BlockOptions {
        read_only: false,
        discard: true,
        block_size: 512,
        queues: 1,
        serial: String::new(),
    };
    let format = crate::process::ImageFormat::Raw;
    let disk = crate::config::DiskConfig { path: name.into(), format, options };
    EmulatedConfig { kind: Emulated::Disk(disk), behind_viommu }
}

#[test]
fn emulated_devices_get_what_root_ports_leave() {
    let places = |bus: u16, disks: usize| {
        let device = VfioConfig { guest_address: Some(Bdf::from_id(bus << 8)), ..device(1) };
        let mut wanted = assignment(Arch::X86_64, &[device]);
        wanted.emulated.extend((0..disks).map(|n| disk(&format!("disk{n}"), n == 1)));
        let plan = good(&FakeHost::new(Arch::X86_64), &wanted);
        let places: Vec<String> = plan.emulated.iter().map(|device| device.at.to_string()).collect();
        assert_eq!(plan.emulated.get(2).map(|device| device.behind_viommu), (disks > 1).then_some(true));
        places
    };
    assert_eq!(places(1, 3), ["00:02.0", "00:03.0", "00:1f.0", "00:1e.0"]);
    assert_eq!(places(28, 2), ["00:02.0", "00:03.0", "00:1e.0"], "the port of bus 28 is at 00:1f.0");
}

#[test]
fn one_device_gets_a_root_port_and_an_endpoint() {
    let plan = good(&FakeHost::new(Arch::X86_64), &assignment(Arch::X86_64, &[device(1)]));
    let address = |text: &str| text.parse::<Bdf>().unwrap();
    assert_eq!(plan.viommu.as_ref().unwrap().at, address("00:01.0"));
    assert_eq!(plan.emulated.iter().map(|device| device.at).collect::<Vec<_>>(), [address("00:02.0")]);
    assert_eq!(plan.root_ports, [RootPort { secondary: 1, at: address("00:04.0") }]);
    let expected = DevicePlan {
        host: "0000:01:00.0".parse().unwrap(),
        guest: address("01:00.0"),
        group: 3,
        behind_viommu: true,
    };
    assert_eq!(plan.devices, [expected]);
    assert_eq!(plan.groups[0].leg_name(), "type1 group 3");
    assert_eq!((plan.groups.len(), plan.memlock, plan.gic), (1, 512 << 20, None));
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
}

#[test]
fn chosen_guest_addresses_are_kept_and_the_others_go_around_them() {
    let mut host = FakeHost::new(Arch::X86_64);
    host.add(2, 4).add(3, 5);
    let at = |bus: u8| VfioConfig { guest_address: Bdf::new(bus, 0, 0), ..device(2) };
    for (chosen, expected) in
        [(1, ["02:00.0", "01:00.0", "03:00.0"]), (28, ["01:00.0", "1c:00.0", "02:00.0"])]
    {
        let plan = good(&host, &assignment(Arch::X86_64, &[device(1), at(chosen), device(3)]));
        let guests: Vec<String> = plan.devices.iter().map(|device| device.guest.to_string()).collect();
        assert_eq!(guests, expected);
        for (port, bus) in plan.root_ports.iter().zip([1, 2, if chosen == 28 { 28 } else { 3 }]) {
            assert_eq!((port.secondary, port.at.device()), (bus, bus + 3));
        }
    }
}

#[test]
fn as_many_devices_as_root_ports_fit() {
    let mut host = FakeHost::new(Arch::X86_64);
    (2..=28).for_each(|bus| {
        host.add(bus, u32::from(bus) + 10);
    });
    let devices: Vec<VfioConfig> = (1..=28).map(device).collect();
    let plan = good(&host, &assignment(Arch::X86_64, &devices));
    let last = plan.root_ports.last().unwrap();
    assert_eq!((plan.devices.len(), last.secondary, last.at.to_string()), (28, 28, "00:1f.0".to_owned()));
}

#[test]
fn locked_memory_counts_the_containers_that_one_process_maps() {
    let mut host = FakeHost::new(Arch::X86_64);
    host.add(2, 4).add(3, 5).add(4, 3);
    let off = |bus| VfioConfig { behind_viommu: false, ..device(bus) };
    for (devices, behind, jailed, together) in [
        (vec![], 0, 0, 0),
        (vec![device(1)], 1, 1, 1),
        (vec![device(1), device(4)], 1, 1, 1),
        (vec![device(1), device(2)], 2, 2, 2),
        (vec![off(1), off(2), off(3)], 0, 1, 1),
        (vec![device(1), off(2), off(3)], 1, 1, 2),
        (vec![device(1), device(2), off(3)], 2, 2, 3),
    ] {
        for (sandbox, containers) in [(true, jailed), (false, together)] {
            let assignment = Assignment { jailed: sandbox, ..assignment(Arch::X86_64, &devices) };
            let needed = containers * assignment.memory;
            host.machine.memlock = Memlock::Bytes(needed);
            let plan = good(&host, &assignment);
            assert_eq!((plan.memlock, plan.sharing), (needed, if sandbox { behind } else { together }));
            if needed > 0 {
                host.machine.memlock = Memlock::Bytes(needed - 1);
                let refusals = planned(&host, &assignment, &GuestMap::default()).unwrap_err();
                let text = refusals[0].to_string();
                assert!(
                    text.contains("is too low") && text.contains(&format!("LimitMEMLOCK={needed}")),
                    "{text}"
                );
                assert!(text.contains(&format!("ulimit -l {}", needed / 1024)), "{text}");
            }
        }
    }
}

#[test]
fn capability_to_lock_helps_the_process_that_has_it() {
    let mut host = FakeHost::new(Arch::X86_64);
    host.add(2, 4);
    host.machine.memlock = Memlock::Bytes(8 << 20);
    let off = VfioConfig { behind_viommu: false, ..device(2) };
    let (behind, both, beside) = ([device(1)], [device(1), off.clone()], [off]);
    for (at_will, devices, jailed, fits) in [
        (false, &behind[..], true, false),
        (false, &behind, false, false),
        (false, &beside, true, false),
        (true, &behind, true, false),
        (true, &both, true, false),
        (true, &beside, true, true),
        (true, &behind, false, true),
        (true, &both, false, true),
    ] {
        host.machine.locks_at_will = at_will;
        let assignment = Assignment { jailed, ..assignment(Arch::X86_64, devices) };
        match planned(&host, &assignment, &GuestMap::default()) {
            Ok(plan) => {
                assert_eq!((fits, plan.memlock, plan.sharing), (true, 0, 0), "{at_will} {jailed} {devices:?}")
            }
            Err(refusals) => {
                assert!(!fits && refusals[0].subject == "the memory-lock limit", "{refusals:#?}");
            }
        }
    }
}

#[test]
fn devices_of_one_group_share_its_leg() {
    let mut host = FakeHost::new(Arch::X86_64);
    host.add(2, 3);
    let plan = good(&host, &assignment(Arch::X86_64, &[device(1), device(2)]));
    assert_eq!((plan.groups.len(), plan.devices.len()), (1, 2));
}

#[test]
fn without_a_virtual_iommu_there_is_none() {
    let mut wish = assignment(Arch::X86_64, &[VfioConfig { behind_viommu: false, ..device(1) }]);
    wish.viommu = None;
    let plan = good(&FakeHost::new(Arch::X86_64), &wish);
    assert_eq!((plan.viommu, plan.groups[0].behind_viommu), (None, false));
}

#[test]
fn virtual_iommu_with_nothing_behind_it_is_worth_a_warning() {
    let mut host = FakeHost::new(Arch::X86_64);
    host.machine.container_node = Access::Absent;
    let mut wish = assignment(Arch::X86_64, &[]);
    let plan = good(&host, &wish);
    let viommu = plan.viommu.unwrap();
    assert_eq!((viommu.input_range, viommu.page_mask.bits()), (span(0, (1 << 48) - 1), 4096));
    assert_eq!(plan.warnings, ["no device is behind the virtual IOMMU"]);
    wish.emulated[0].behind_viommu = true;
    assert!(good(&host, &wish).warnings.is_empty(), "an emulated device is one");
}
