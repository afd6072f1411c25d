//! A guest program that takes memory from an emulated disk while the disk uses it (`rig revoke`): no byte comes late, and the
//! event queue tells of every access that was refused.

use super::{Scenario, checks};
use crate::disk::Disk;
use crate::images::RAW;
use crate::report::Report;

pub(super) fn scenario() -> Scenario {
    let mut scenario = Scenario::new("revoke", "");
    scenario.guest.actions = vec!["raw", "rig"];
    scenario.guest.rig = vec!["revoke"];
    scenario.guest.options = ["--block", &format!("{RAW},iommu=viommu")].map(str::to_owned).into();
    scenario.emulated = 1;
    scenario.judge = judge;
    scenario
}

fn judge(scenario: &Scenario, report: &Report, _: &Disk) -> Vec<String> {
    let mut failures = checks::raw_driver(scenario, report);
    match &report.viommu {
        // The guest has made its disk fault, and the VMM must have noticed.
        Some(viommu) if viommu.faults == 0 => failures.push("the VMM counts no fault".to_owned()),
        Some(viommu) => failures.extend(viommu.differences()),
        None => failures.push(format!("`mixvm viommu show` did not answer: {:?}", report.viommu_error)),
    }
    failures
}

#[cfg(test)]
mod tests;
