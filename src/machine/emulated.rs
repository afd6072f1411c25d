//! Emulated devices with what they need, as their workers are told.

use std::os::fd::OwnedFd;

use crate::config::Emulated;
use crate::plan::Plan;
use crate::process::{EmulatedKind, EmulatedSetup};

/// A device, and the descriptors that are its own.
pub(crate) struct Ready {
    pub setup: EmulatedSetup,
    pub fds: Vec<OwnedFd>,
    pub behind_viommu: bool,
}

/// All emulated devices of the plan; `own` has the descriptors of each, in the plan's order.
pub(crate) fn ready(plan: &Plan, own: Vec<Vec<OwnedFd>>) -> Vec<Ready> {
    let ready = plan.emulated.iter().zip(own).map(|(device, fds)| {
        let kind = match &device.kind {
            Emulated::Rng => EmulatedKind::Rng,
            Emulated::Disk(disk) => EmulatedKind::Disk(disk.format, disk.options.clone()),
            Emulated::Net(net) => EmulatedKind::Net { mac: net.mac, pairs: net.pairs },
            Emulated::Console(console) => EmulatedKind::Console { input: console.input.is_some() },
        };
        Ready { setup: EmulatedSetup { at: device.at, kind }, fds, behind_viommu: device.behind_viommu }
    });
    ready.collect()
}
