//! Guest PCI addresses: emulated devices on bus 0, and behind root ports of bus 0 the assigned devices.
//!
//! Each is alone on its bus, but for those of one host group behind the virtual IOMMU. The host cannot tell them apart, so the
//! guest must not either: as functions of one device, without access control of their own, they are one group to it.

use std::collections::BTreeSet;

use data_model::Bdf;

use super::{Draft, shared};
use crate::config::MOST_DEVICES;

/// Where the virtual IOMMU is.
pub const VIOMMU: Bdf = Bdf::from_id(1 << 3);

/// The first place for an emulated device; the entropy device's.
const FIRST: u8 = 2;
/// The last place of a bus.
const LAST: u8 = 31;

/// A root port and the bus behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RootPort {
    /// The bus behind it.
    pub secondary: u8,
    /// Its own address, on bus 0.
    pub at: Bdf,
}

/// The root port whose secondary bus is `bus`: the first is 00:04.0, for bus 1.
fn root_port(bus: u8) -> RootPort {
    RootPort { secondary: bus, at: Bdf::from_id((u16::from(bus) + 3) << 3) }
}

/// The root ports, by bus, and the guest address of each device of the draft, in its order. What the user chose and what
/// cannot be is refused.
pub(super) fn give(draft: &mut Draft<'_>) -> (Vec<RootPort>, Vec<Bdf>) {
    let slots = shared::slots(draft);
    let refusals = shared::refusals(draft, &slots);
    draft.refusals.extend(refusals);
    let chosen = |index: &usize| draft.devices.get(*index).and_then(|found| found.config.guest_address);
    let mut buses: BTreeSet<u8> = slots.iter().flatten().filter_map(chosen).map(|bdf| bdf.bus()).collect();
    let mut guests = vec![Bdf::default(); draft.devices.len()];
    for members in &slots {
        let free = || (1..=MOST_DEVICES as u8).find(|bus| !buses.contains(bus));
        // There are as many buses as devices allowed, so one is always free.
        let bus = members.iter().find_map(chosen).map(|bdf| bdf.bus()).or_else(free).unwrap_or(u8::MAX);
        buses.insert(bus);
        let taken: Vec<u8> = members.iter().filter_map(chosen).map(|bdf| bdf.function()).collect();
        let mut free = (0..8u8).filter(|function| !taken.contains(function));
        for index in members {
            let function = chosen(index).map(|bdf| bdf.function()).or_else(|| free.next());
            if let (Some(guest), Some(at)) = (guests.get_mut(*index), Bdf::new(bus, 0, function.unwrap_or(7)))
            {
                *guest = at;
            }
        }
    }
    (buses.into_iter().map(root_port).collect(), guests)
}

/// Places for emulated devices: those below the root ports first, then from the last one down, so that an assigned device
/// more or less seldom moves one. There are as many as the limits of the configuration allow devices.
pub(super) fn emulated(ports: &[RootPort]) -> impl Iterator<Item = Bdf> + '_ {
    let low = FIRST..root_port(1).at.device();
    let high = (root_port(1).at.device()..=LAST).rev();
    let free = low.chain(high).map(|device| Bdf::from_id(u16::from(device) << 3));
    free.filter(|at| ports.iter().all(|port| port.at != *at))
}
