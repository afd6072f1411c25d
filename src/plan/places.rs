//! Guest PCI addresses: emulated devices on bus 0, and a root port with a bus of its own for each assigned device.

use std::collections::BTreeSet;

use data_model::Bdf;

use super::Draft;
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

/// The root ports, by bus, and the guest address of each device of the draft, in its order.
pub(super) fn give(draft: &Draft<'_>) -> (Vec<RootPort>, Vec<Bdf>) {
    let mut taken: BTreeSet<u8> =
        draft.devices.iter().filter_map(|found| found.config.guest_address).map(|bdf| bdf.bus()).collect();
    let mut guests = Vec::new();
    for found in &draft.devices {
        let free = || (1..=MOST_DEVICES as u8).find(|bus| !taken.contains(bus));
        // There are as many buses as devices allowed, so one is always free.
        let bus = found.config.guest_address.map(|bdf| bdf.bus()).or_else(free).unwrap_or(u8::MAX);
        taken.insert(bus);
        guests.push(Bdf::from_id(u16::from(bus) << 8));
    }
    (taken.into_iter().map(root_port).collect(), guests)
}

/// Places for emulated devices: those below the root ports first, then from the last one down, so that an assigned device
/// more or less seldom moves one. There are as many as the limits of the configuration allow devices.
pub(super) fn emulated(ports: &[RootPort]) -> impl Iterator<Item = Bdf> + '_ {
    let low = FIRST..root_port(1).at.device();
    let high = (root_port(1).at.device()..=LAST).rev();
    let free = low.chain(high).map(|device| Bdf::from_id(u16::from(device) << 3));
    free.filter(|at| ports.iter().all(|port| port.at != *at))
}
