//! Emulated devices with what they need, as their workers are told.

use std::fs::File;
use std::os::fd::OwnedFd;

use super::own::Own;
use crate::config::{ConsoleInput, Emulated};
use crate::plan::Plan;
use crate::process::{EmulatedKind, EmulatedSetup};

/// A device, and the descriptors that are its own.
pub(crate) struct Ready {
    pub setup: EmulatedSetup,
    pub fds: Vec<OwnedFd>,
    pub behind_viommu: bool,
}

/// Main's ends of what devices have to say, and of what they are told.
#[derive(Default)]
pub(crate) struct Ends {
    /// What is to be printed comes from these.
    pub printed: Vec<OwnedFd>,
    /// What is typed goes here.
    pub typed: Option<OwnedFd>,
    /// Files that are to be empty when the guest starts, and not before.
    pub logs: Vec<File>,
}

/// All emulated devices of the plan; `own` has what is each one's own, in the plan's order.
pub(super) fn ready(plan: &Plan, own: Vec<Own>) -> (Vec<Ready>, Ends) {
    let mut ends = Ends::default();
    let ready = plan.emulated.iter().zip(own).map(|(device, own)| {
        let Own { fds, printed, typed, log } = own;
        ends.printed.extend(printed);
        ends.typed = ends.typed.take().or(typed);
        ends.logs.extend(log);
        let kind = match &device.kind {
            Emulated::Rng => EmulatedKind::Rng,
            Emulated::Disk(disk) => EmulatedKind::Disk(disk.format, disk.options.clone()),
            Emulated::Net(net) => EmulatedKind::Net { mac: net.mac, pairs: net.pairs },
            Emulated::Console(console) => {
                EmulatedKind::Console { input: console.input != ConsoleInput::None }
            }
        };
        Ready { setup: EmulatedSetup { at: device.at, kind }, fds, behind_viommu: device.behind_viommu }
    });
    (ready.collect(), ends)
}
