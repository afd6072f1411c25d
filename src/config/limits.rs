//! The limits of a machine, each with its reason.

use std::collections::BTreeSet;

use super::{Arch, Assignment};
use crate::cmdline::specs::MsiMode;
use crate::errors::Refusal;

/// Devices that can be assigned: each may need a root port of its own, and those are devices 4 to 31 of bus 0.
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

/// Bytes of a disk's block, 512 unless said otherwise.
pub(super) fn block_size(wanted: Option<u64>, refusals: &mut Vec<Refusal>) -> u32 {
    let wanted = wanted.unwrap_or(512);
    if let (512 | 1024 | 2048 | 4096, Ok(size)) = (wanted, u32::try_from(wanted)) {
        return size;
    }
    refusals.push(Refusal::new(
        "--block",
        format!("cannot have block-size={wanted}"),
        "a block is a power of two between a sector and a page",
        "Give 512, 1024, 2048 or 4096.",
    ));
    512
}

/// Queues of a disk, 1 unless said otherwise.
pub(super) fn disk_queues(wanted: Option<u64>, refusals: &mut Vec<Refusal>) -> u16 {
    up_to_sixteen(wanted, refusals, |wanted| {
        Refusal::new(
            "--block",
            format!("cannot have num-queues={wanted}"),
            "each queue takes a thread of the host",
            "Give 1 to 16.",
        )
    })
}

/// Pairs of queues of a network card, 1 unless said otherwise.
pub(super) fn card_pairs(wanted: Option<u64>, refusals: &mut Vec<Refusal>) -> u16 {
    up_to_sixteen(wanted, refusals, |wanted| {
        Refusal::new(
            "--net",
            format!("cannot have vq-pairs={wanted}"),
            "each pair takes a thread and a queue of the tap device",
            "Give 1 to 16; a pair for each processor of the guest is enough.",
        )
    })
}

fn up_to_sixteen(
    wanted: Option<u64>,
    refusals: &mut Vec<Refusal>,
    refusal: impl FnOnce(u64) -> Refusal,
) -> u16 {
    let wanted = wanted.unwrap_or(1);
    if let (1..=16, Ok(count)) = (wanted, u16::try_from(wanted)) {
        return count;
    }
    refusals.push(refusal(wanted));
    1
}

/// The serial number of a disk.
pub(super) fn serial(wanted: String, refusals: &mut Vec<Refusal>) -> String {
    if wanted.len() > 20 {
        refusals.push(Refusal::new(
            "--block",
            format!("cannot have id={wanted}"),
            "the guest is given 20 bytes of it",
            "Give a shorter one.",
        ));
    }
    wanted
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
            "each device may need a root port of its own, and there are 28",
            format!("Assign at most {MOST_DEVICES} devices."),
        ));
    }
    let more = found.emulated.len().saturating_sub(1);
    if found.vfio.len() <= MOST_DEVICES && found.vfio.len() + more > MOST_DEVICES + 1 {
        refusals.push(Refusal::new(
            "--block, --net and --serial",
            format!("ask for {more} devices"),
            format!("they share {} places of the guest's first bus with assigned devices", MOST_DEVICES + 1),
            "Give the guest fewer devices.",
        ));
    }
    let mut taken = BTreeSet::new();
    for bdf in found.vfio.iter().filter_map(|device| device.guest_address) {
        let place = usize::from(bdf.bus());
        if bdf.device() != 0 || !(1..=MOST_DEVICES).contains(&place) {
            refusals.push(Refusal::new(
                "--vfio",
                format!("cannot have guest-address={bdf}"),
                "an assigned device is behind a root port, whose bus has device 00 alone",
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
