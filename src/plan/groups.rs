//! Each IOMMU group as a whole: free of the host, reachable, attachable, its interrupts isolated.

use data_model::HostBdf;

use super::Draft;
use crate::errors::Refusal;
use crate::host::{Access, DeviceFacts, GroupFacts, HostRegionKind, Isolation, MachineFacts, Trial};

mod attach;

/// Refuses groups that cannot be assigned.
pub(super) fn check(draft: &mut Draft<'_>) {
    if draft.assignment.vfio.is_empty() {
        return;
    }
    draft.refusals.extend(container_node(draft.machine.container_node));
    let groups: Vec<&GroupFacts> = draft.groups.values().copied().collect();
    for group in groups {
        let members: Vec<Member> = draft
            .devices
            .iter()
            .filter(|found| found.group == Some(group.number))
            .map(|found| Member {
                bdf: found.device.bdf,
                behind_viommu: found.config.behind_viommu,
                unsafe_interrupts: found.config.unsafe_interrupts,
            })
            .collect();
        let found = one(group, &members, draft.machine);
        draft.refusals.extend(found);
    }
}

/// An assigned member of a group.
struct Member {
    bdf: HostBdf,
    behind_viommu: bool,
    unsafe_interrupts: bool,
}

/// How a group is called in a refusal.
pub(super) fn name(group: &GroupFacts) -> String {
    format!("IOMMU group {}", group.number)
}

fn one(group: &GroupFacts, members: &[Member], machine: &MachineFacts) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    refusals.extend(split(group, members));
    if group.noiommu {
        refusals.push(Refusal::new(
            name(group),
            "has no IOMMU",
            "it was made by VFIO's no-IOMMU mode, where a device reaches all of the host's memory",
            "Turn the host's IOMMU on and load vfio without enable_unsafe_noiommu_mode.",
        ));
        return refusals;
    }
    refusals.extend(firmware_memory(group));
    let blockers: Vec<&DeviceFacts> =
        group.members.iter().filter(|member| !member.leaves_group_viable()).collect();
    refusals.extend(not_viable(group, members, &blockers));
    let given_up = group.members.iter().any(DeviceFacts::is_given_up);
    if blockers.is_empty() && given_up {
        refusals.extend(node(group));
        let tried = group.node == Access::Granted;
        refusals.extend(tried.then(|| attach::refusal(group, members, machine)).flatten());
        refusals.extend(isolation(group, members, machine));
    }
    refusals
}

/// Devices of one group are one to the IOMMU: they cannot stand on both sides of it.
fn split(group: &GroupFacts, members: &[Member]) -> Option<Refusal> {
    let behind = members.iter().find(|member| member.behind_viommu)?;
    let beside = members.iter().find(|member| !member.behind_viommu)?;
    Some(Refusal::new(
        name(group),
        "cannot be split",
        format!(
            "{} is behind the virtual IOMMU and {} is not, but the host cannot tell them apart",
            behind.bdf, beside.bdf
        ),
        "Give both the same iommu= option.",
    ))
}

/// Memory that firmware needs mapped for ever; the kernel refuses to give the device away.
fn firmware_memory(group: &GroupFacts) -> Option<Refusal> {
    let region = group.reserved.iter().find(|region| region.kind == HostRegionKind::Direct)?;
    Some(Refusal::new(
        name(group),
        "cannot be assigned",
        format!(
            "firmware keeps {} mapped for a device of it (RMRR), for as long as the host runs",
            region.span
        ),
        "Some firmware has a setting that ends this; otherwise choose another device.",
    ))
}

fn not_viable(group: &GroupFacts, members: &[Member], blockers: &[&DeviceFacts]) -> Option<Refusal> {
    // Assigned devices that are not bound to vfio-pci have been told already.
    let others: Vec<&&DeviceFacts> =
        blockers.iter().filter(|blocker| members.iter().all(|member| member.bdf != blocker.bdf)).collect();
    let list = |format: &dyn Fn(&DeviceFacts) -> String, between: &str| {
        others.iter().map(|other| format(other)).collect::<Vec<_>>().join(between)
    };
    if others.is_empty() {
        return None;
    }
    let who =
        list(&|other| format!("{} ({})", other.bdf, other.driver.as_deref().unwrap_or("no driver")), ", ");
    let commands =
        list(&|other| super::bind_commands(other.bdf, other.driver.is_some()).join("\n  "), "\n  ");
    Some(Refusal::new(
        name(group),
        "is not free",
        format!("drivers of the host hold other devices of it: {who}"),
        format!("Stop using them on the host, then, as root:\n  {commands}"),
    ))
}

fn container_node(node: Access) -> Option<Refusal> {
    let (what, why, remedy) = match node {
        Access::Granted => return None,
        Access::Absent => ("is not there", "VFIO is not loaded", "Load it, as root: modprobe vfio-pci"),
        Access::Denied => (
            "cannot be opened",
            "this user may not read and write it",
            "Give the user the node, as root: chmod 666 /dev/vfio/vfio (it grants nothing by itself).",
        ),
    };
    Some(Refusal::new("/dev/vfio/vfio", what, why, remedy))
}

fn node(group: &GroupFacts) -> Option<Refusal> {
    let node = format!("/dev/vfio/{}", group.number);
    match group.node {
        Access::Granted => None,
        Access::Absent => Some(Refusal::new(
            node,
            "is not there",
            "VFIO made no node for the group though a device of it is bound to vfio-pci",
            "Check that /dev is populated (udev, or devtmpfs in a container).",
        )),
        Access::Denied => Some(denied(group)),
    }
}

fn denied(group: &GroupFacts) -> Refusal {
    let node = format!("/dev/vfio/{}", group.number);
    let remedy = format!("Give the user the node, as root: chown $USER {node}");
    Refusal::new(node, "cannot be opened", "this user may not read and write it", remedy)
}

/// A host that allows unsafe interrupts attaches any group; then this program is the only one left to object.
fn isolation(group: &GroupFacts, members: &[Member], machine: &MachineFacts) -> Option<Refusal> {
    if !matches!(group.trial, Trial::Attached(_)) {
        return None;
    }
    let objector = members.iter().find(|member| !member.unsafe_interrupts)?;
    let why = match group.isolation(machine) {
        Isolation::Isolated => return None,
        Isolation::Shared => {
            "the host does not remap interrupts, so the device could raise any interrupt of the host"
        }
        Isolation::Unknown => {
            "the host allows unsafe interrupts, and nothing shows that it keeps those of the device apart"
        }
    };
    Some(Refusal::new(
        objector.bdf,
        "has interrupts that are not known to be isolated",
        why,
        format!("If the guest is trusted, say so: --vfio {},unsafe-interrupts=on", objector.bdf),
    ))
}
