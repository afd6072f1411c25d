//! Each device of the assignment by itself: there, PCI, in a group, given up by the host, and listed once.

use std::collections::BTreeSet;

use data_model::HostBdf;

use super::Draft;
use crate::config::VfioConfig;
use crate::errors::Refusal;
use crate::host::{DeviceFacts, Lookup};

/// A device that is there, with what the user said of it.
pub(super) struct Found<'a> {
    pub config: &'a VfioConfig,
    pub device: &'a DeviceFacts,
    pub group: Option<u32>,
}

/// Fills `draft.devices` and refuses what cannot be assigned.
pub(super) fn find<'a>(draft: &mut Draft<'a>, lookups: &'a [Lookup]) {
    let mut seen = BTreeSet::new();
    for (config, lookup) in draft.assignment.vfio.iter().zip(lookups) {
        let device = match lookup {
            Lookup::Found(device) => device,
            Lookup::Absent => {
                draft.refusals.push(absent(&config.path));
                continue;
            }
            Lookup::NotPci(place) => {
                draft.refusals.push(not_pci(&config.path, place));
                continue;
            }
        };
        if !seen.insert(device.bdf) {
            draft.refusals.push(Refusal::new(
                device.bdf,
                "is given twice",
                "a device can be assigned once",
                "Leave one of the two --vfio out.",
            ));
            continue;
        }
        draft.refusals.extend(alone(device));
        draft.devices.push(Found { config, device, group: device.group });
    }
}

fn absent(path: &str) -> Refusal {
    Refusal::new(
        path,
        "is not there",
        "no device of this host has that path or address",
        "Devices are listed in /sys/bus/pci/devices.",
    )
}

fn not_pci(path: &str, place: &str) -> Refusal {
    Refusal::new(
        path,
        "is not a PCI device",
        format!("it leads to {place}"),
        "Only PCI devices can be assigned; they are listed in /sys/bus/pci/devices.",
    )
}

/// What speaks against one device, whatever the others are.
fn alone(device: &DeviceFacts) -> Option<Refusal> {
    if device.is_bridge() {
        return Some(Refusal::new(
            device.bdf,
            "cannot be assigned",
            "it is a PCI bridge",
            "Assign the devices behind it.",
        ));
    }
    if device.group.is_none() {
        return Some(Refusal::new(
            device.bdf,
            "is in no IOMMU group",
            "the host has no IOMMU, or it is off",
            "Turn it on in the firmware and, on x86, with intel_iommu=on or amd_iommu=on on the host's kernel command \
             line.",
        ));
    }
    if device.is_given_up() {
        return None;
    }
    let why = match &device.driver {
        Some(driver) => format!("its driver is {driver}"),
        None => "it has no driver".to_owned(),
    };
    let commands = bind_commands(device.bdf, device.driver.is_some()).join("\n  ");
    Some(Refusal::new(
        device.bdf,
        "is not bound to vfio-pci",
        why,
        format!("Stop using it on the host, then, as root (after `modprobe vfio-pci`):\n  {commands}"),
    ))
}

/// The commands that hand a device over to vfio-pci; the second only when it has a driver now.
pub fn bind_commands(bdf: HostBdf, has_driver: bool) -> Vec<String> {
    let folder = format!("/sys/bus/pci/devices/{bdf}");
    let unbind = has_driver.then(|| format!("echo {bdf} > {folder}/driver/unbind"));
    let mut commands = vec![format!("echo vfio-pci > {folder}/driver_override")];
    commands.extend(unbind);
    commands.push(format!("echo {bdf} > /sys/bus/pci/drivers_probe"));
    commands
}
