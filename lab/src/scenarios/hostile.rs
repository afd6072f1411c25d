//! A guest whose driver for the virtio-iommu keeps none of the rules (`rig hostile`): the VMM lives, answers as the
//! specification says, and the host holds exactly what the tables say.

use super::{Scenario, checks};
use crate::disk::Disk;
use crate::qemu::Device;
use crate::report::Report;
use crate::viommu::Viommu;

/// What the driver does, and requests that the device must have served at least: all of it, and what is enough by day where
/// the emulated processor takes minutes for that.
const FULL: (&str, u64) = ("hostile --requests 120000", 100_000);
const SHORT: (&str, u64) = ("hostile --requests 24000", 20_000);
/// Mappings that the driver leaves in one domain with every endpoint in it.
const LEFT: u64 = 8;

pub(super) fn scenario(full: bool) -> Scenario {
    let mut scenario = Scenario::new("hostile", "");
    scenario.guest.devices.push(Device::E1000e);
    scenario.guest.actions = vec!["raw", "rig"];
    scenario.guest.rig = vec![if full { FULL.0 } else { SHORT.0 }];
    scenario.judge = judge;
    scenario
}

fn judge(scenario: &Scenario, report: &Report, _: &Disk) -> Vec<String> {
    let mut failures = checks::raw_driver(scenario, report);
    match &report.viommu {
        Some(viommu) => failures.extend(shown(scenario, viommu)),
        None => failures.push(format!("`mixvm viommu show` did not answer: {:?}", report.viommu_error)),
    }
    failures
}

/// The VMM's own view after all of it.
fn shown(scenario: &Scenario, viommu: &Viommu) -> Vec<String> {
    let mut failures = viommu.differences();
    let served: u64 = viommu.requests.iter().map(|requests| requests.ok + requests.failed).sum();
    let wanted = if scenario.guest.rig.contains(&FULL.0) { FULL.1 } else { SHORT.1 };
    if served < wanted {
        failures.push(format!("{served} requests were served, {wanted} expected at least"));
    }
    if viommu.legs.len() != scenario.guest.devices.len() {
        failures.push(format!("{} legs for {} devices", viommu.legs.len(), scenario.guest.devices.len()));
    }
    for leg in viommu.legs.iter().filter(|leg| leg.mappings != LEFT) {
        failures.push(format!("{} holds {} mappings, {LEFT} were left", leg.name, leg.mappings));
    }
    failures
}
