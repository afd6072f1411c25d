//! The limits of a machine, each with its reason.

use std::collections::BTreeSet;

use super::{Arch, Assignment};
use crate::cmdline::specs::MsiMode;
use crate::errors::Refusal;

/// Devices that can be assigned: each has a root port of its own, and those are devices 4 to 31 of bus 0.
pub const MOST_DEVICES: usize = 28;

const MIB: u64 = 1 << 20;

/// The number of virtual CPUs, 1 unless said otherwise.
pub(super) fn cpus(wanted: Option<u64>, refusals: &mut Vec<Refusal>) -> u8 {
    let wanted = wanted.unwrap_or(1);
    let why = match wanted {
        0 => "a machine needs at least one CPU",
        1..=255 => return u8::try_from(wanted).unwrap_or(u8::MAX),
        _ => "interrupts are addressed by 8 bits, of which one value means all CPUs",
    };
    refusals.push(Refusal::new("--cpus", format!("cannot be {wanted}"), why, "Give 1 to 255."));
    1
}

/// Guest RAM in bytes, 512 MiB unless said otherwise.
pub(super) fn memory(wanted: Option<u64>, refusals: &mut Vec<Refusal>) -> u64 {
    const LEAST: u64 = 64;
    const MOST: u64 = 16 << 20;
    let wanted = wanted.unwrap_or(512);
    let (why, remedy) = match wanted {
        LEAST..=MOST => return wanted * MIB,
        0..LEAST => ("no current kernel boots in less than 64 MiB", "Give 64 or more; the unit is MiB."),
        _ => (
            "guest-physical addresses above 16 TiB are not laid out",
            "Give at most 16777216; the unit is MiB.",
        ),
    };
    refusals.push(Refusal::new("--mem", format!("cannot be {wanted} MiB"), why, remedy));
    LEAST * MIB
}

/// What the devices and the IOMMU contradict.
pub(super) fn assignment(found: &Assignment, refusals: &mut Vec<Refusal>) {
    if found.arch == Arch::X86_64 && found.viommu.is_some_and(|viommu| viommu.msi == MsiMode::Translate) {
        refusals.push(Refusal::new(
            "--virtio-iommu",
            "cannot have msi=translate on x86_64",
            "interrupts there go to 0xfee00000-0xfeefffff, which no guest maps",
            "Leave msi= out, or say msi=bypass.",
        ));
    }
    if found.vfio.len() > MOST_DEVICES {
        refusals.push(Refusal::new(
            "--vfio",
            format!("is given {} times", found.vfio.len()),
            "each device has a root port of its own, and there are 28",
            format!("Assign at most {MOST_DEVICES} devices."),
        ));
    }
    let mut taken = BTreeSet::new();
    for bdf in found.vfio.iter().filter_map(|device| device.guest_address) {
        let place = usize::from(bdf.bus());
        if bdf.device() != 0 || bdf.function() != 0 || !(1..=MOST_DEVICES).contains(&place) {
            refusals.push(Refusal::new(
                "--vfio",
                format!("cannot have guest-address={bdf}"),
                "an assigned device is alone behind a root port, on a bus of its own",
                format!("Give BB:00.0 with a bus from 01 to {MOST_DEVICES:02x}."),
            ));
        } else if !taken.insert(bdf) {
            refusals.push(Refusal::new(
                "--vfio",
                format!("cannot have guest-address={bdf} twice"),
                "two devices cannot share an address",
                "Give each its own, or leave one out.",
            ));
        }
    }
}
