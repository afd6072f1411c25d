//! Guest PCI addresses: fixed ones on bus 0, and a root port with a bus of its own for each assigned device.

use std::collections::BTreeSet;

use data_model::Bdf;

use super::Draft;
use crate::config::MOST_DEVICES;

/// Where the virtual IOMMU is.
pub const VIOMMU: Bdf = Bdf::from_id(1 << 3);

/// Where the entropy device is.
pub const RNG: Bdf = Bdf::from_id(2 << 3);

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
