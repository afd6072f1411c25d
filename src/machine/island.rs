//! The virtual IOMMU's task: all that its process is told, from the plan.

use std::os::fd::OwnedFd;

use anyhow::Result;
use data_model::Span;

use super::assigned::Assigned;
use super::board;
use crate::plan::{Plan, RegionKind, ViommuPlan};
use crate::process::{self, EmulatedSetup, IslandSetup, LegSetup, Setup};

/// The task, and the containers that belong to it.
pub(crate) fn task(
    plan: &Plan,
    viommu: &ViommuPlan,
    assigned: &Assigned,
    emulated: Vec<EmulatedSetup>,
    (ram, doorbell): (Vec<Span>, Option<Span>),
) -> Result<(Setup, Vec<OwnedFd>)> {
    let legs: Vec<_> = assigned.legs().collect();
    let leg_of = |group: u32| legs.iter().position(|(leg, _)| leg.number == group);
    let behind = plan.devices.iter().filter(|device| device.behind_viommu);
    let setup = IslandSetup {
        at: viommu.at,
        ram,
        pages: viommu.page_mask,
        input: viommu.input_range,
        bypass_at_boot: viommu.bypass_at_boot,
        poll: viommu.poll,
        windows: viommu.msi_windows.clone(),
        doorbell,
        regions: viommu.reserved.iter().map(|region| (region.span, region.kind == RegionKind::Msi)).collect(),
        lockable: base::memlock_share(plan.sharing),
        legs: legs.iter().map(|(leg, _)| LegSetup { name: leg.leg_name(), group: leg.number }).collect(),
        endpoints: behind.map(|device| (device.guest, device.host, leg_of(device.group))).collect(),
        emulated,
        translates_messages: board::MSI_TRANSLATES,
    };
    let containers = legs.iter().map(|(_, container)| process::copy(container.as_ref()));
    Ok((Setup::Island(setup), containers.collect::<Result<_>>()?))
}
