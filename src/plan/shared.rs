//! Which assigned devices are functions of one slot of the guest, and what speaks against it.

use data_model::Bdf;

use super::Draft;
use super::devices::Found;
use crate::errors::Refusal;

/// Functions of a PCI device.
const FUNCTIONS: usize = 8;

/// The devices of each slot by their index in the draft, both in the user's order.
pub(super) fn slots(draft: &Draft<'_>) -> Vec<Vec<usize>> {
    let mut slots: Vec<Vec<usize>> = Vec::new();
    for (index, found) in draft.devices.iter().enumerate() {
        let fits = |slot: &&mut Vec<usize>| {
            slot.first().and_then(|first| draft.devices.get(*first)).is_some_and(|first| share(first, found))
        };
        match slots.iter_mut().find(fits) {
            Some(slot) => slot.push(index),
            None => slots.push(vec![index]),
        }
    }
    slots
}

/// Behind the virtual IOMMU members of a group always share a slot, beside it where the user says so.
fn share(one: &Found<'_>, other: &Found<'_>) -> bool {
    let bus = |found: &Found<'_>| found.config.guest_address.map(|bdf| bdf.bus());
    let side = one.config.behind_viommu;
    one.group.is_some()
        && one.group == other.group
        && side == other.config.behind_viommu
        && (side || (bus(one).is_some() && bus(one) == bus(other)))
}

/// What the user chose and no slot can be.
pub(super) fn refusals(draft: &Draft<'_>, slots: &[Vec<usize>]) -> Vec<Refusal> {
    let slots: Vec<Vec<&Found<'_>>> = slots
        .iter()
        .map(|slot| slot.iter().filter_map(|index| draft.devices.get(*index)).collect())
        .collect();
    let alone =
        slots.iter().filter_map(|slot| too_many(slot).or_else(|| apart(slot)).or_else(|| headless(slot)));
    alone.chain(crowded(&slots)).collect()
}

fn chosen<'a>(slot: &'a [&Found<'_>]) -> impl Iterator<Item = (&'a Found<'a>, Bdf)> {
    slot.iter().filter_map(|found| Some((*found, found.config.guest_address?)))
}

fn too_many(slot: &[&Found<'_>]) -> Option<Refusal> {
    let group = slot.first()?.group.filter(|_| slot.len() > FUNCTIONS)?;
    Some(Refusal::new(
        format!("IOMMU group {group}"),
        "does not fit into the guest",
        format!("{} devices of it are to be functions of one PCI device, which has {FUNCTIONS}", slot.len()),
        "Assign fewer of them, or give all of them iommu=off.",
    ))
}

/// Members of a group that the user wants on several buses.
fn apart(slot: &[&Found<'_>]) -> Option<Refusal> {
    let (first, at) = chosen(slot).next()?;
    let (other, away) = chosen(slot).find(|(_, bdf)| bdf.bus() != at.bus())?;
    let group = first.group?;
    Some(Refusal::new(
        "--vfio",
        format!("cannot have guest-address={at} and guest-address={away}"),
        format!(
            "{} and {} are both of IOMMU group {group}, which the guest must find on one slot, for the host cannot tell \
             its members apart",
            first.device.bdf, other.device.bdf
        ),
        "Give them functions of the same bus, or leave guest-address= out.",
    ))
}

/// A slot without function 0: no guest looks further there.
fn headless(slot: &[&Found<'_>]) -> Option<Refusal> {
    let (found, at) = chosen(slot).next()?;
    let all = chosen(slot).count() == slot.len();
    if !all || chosen(slot).any(|(_, bdf)| bdf.function() == 0) {
        return None;
    }
    let first = Bdf::new(at.bus(), 0, 0)?;
    Some(Refusal::new(
        "--vfio",
        format!("cannot have guest-address={at}"),
        format!(
            "nothing of the IOMMU group of {} is at {first}, and a slot must have a function 0",
            found.device.bdf
        ),
        format!("Give one of the group guest-address={first}, or leave guest-address= out."),
    ))
}

/// Slots of several groups that the user wants to be one.
fn crowded(slots: &[Vec<&Found<'_>>]) -> Option<Refusal> {
    let all: Vec<(usize, &Found<'_>, Bdf)> = slots
        .iter()
        .enumerate()
        .flat_map(|(index, slot)| chosen(slot).map(move |(found, bdf)| (index, found, bdf)))
        .collect();
    let clash = |(n, (index, _, bdf)): (usize, &(usize, &Found<'_>, Bdf))| {
        let earlier = all.iter().take(n).find(|(other, _, there)| other != index && there.bus() == bdf.bus());
        earlier.map(|earlier| (n, *earlier))
    };
    let (n, (_, first, there)) = all.iter().enumerate().find_map(clash)?;
    let (_, second, at) = *all.get(n)?;
    Some(Refusal::new(
        "--vfio",
        format!("cannot have guest-address={at} beside guest-address={there}"),
        format!(
            "{} and {} would be functions of one slot, which the guest takes for one group, and they are not of one IOMMU \
             group and on the same side of the virtual IOMMU",
            second.device.bdf, first.device.bdf
        ),
        "Give them different buses.",
    ))
}
