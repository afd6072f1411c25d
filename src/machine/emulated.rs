//! Emulated devices with what they need, as their workers are told.

use std::fs::File;
use std::os::fd::OwnedFd;

use anyhow::{Context, Result};

use crate::config::Emulated;
use crate::plan::{EmulatedPlan, Plan};
use crate::process::{EmulatedKind, EmulatedSetup};

/// A device, and the descriptors that are its own.
pub(crate) struct Ready {
    pub setup: EmulatedSetup,
    pub fds: Vec<OwnedFd>,
    pub behind_viommu: bool,
}

/// All emulated devices of the plan; `disks` are the images in the plan's order.
pub(crate) fn ready(plan: &Plan, disks: Vec<File>) -> Result<Vec<Ready>> {
    let mut disks = disks.into_iter();
    plan.emulated.iter().map(|device| one(device, &mut disks)).collect()
}

fn one(device: &EmulatedPlan, disks: &mut impl Iterator<Item = File>) -> Result<Ready> {
    let (kind, fds) = match &device.kind {
        Emulated::Rng => (EmulatedKind::Rng, Vec::new()),
        Emulated::Disk(disk) => {
            let image = disks.next().with_context(|| format!("{} is not open", disk.path.display()))?;
            (EmulatedKind::Disk(disk.format, disk.options.clone()), vec![image.into()])
        }
    };
    let setup = EmulatedSetup { at: device.at, kind };
    Ok(Ready { setup, fds, behind_viommu: device.behind_viommu })
}
