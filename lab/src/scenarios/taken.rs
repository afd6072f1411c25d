//! The host takes an assigned device away while a guest uses it: who asks gets it at once, and the VMM says why its guest ended.

use super::{Scenario, checks};
use crate::disk::Disk;
use crate::job::Strike;
use crate::report::Report;

/// As `scripts/stress.sh` says it once the device's driver is unbound.
const TAKEN: &str = "boot host";

/// The disk's driver is unbound on the host while the guest boots.
pub(super) fn scenario() -> Scenario {
    let mut scenario = Scenario::new("taken-back", "");
    scenario.guest.actions.clear();
    scenario.guest.strike = Some(Strike { moment: "boot", victim: "host" });
    scenario.judge = judge;
    scenario
}

fn judge(scenario: &Scenario, report: &Report, _: &Disk) -> Vec<String> {
    let mut failures = checks::ended_well(scenario, report);
    let said = &report.said;
    if report.struck.as_deref() != Some(TAKEN) {
        failures.push(format!("the host has not got the disk back; it said: {said}"));
    }
    if !said.contains("takes the device back") {
        failures.push(format!("the VMM did not say why it ended; it said: {said}"));
    }
    if report.stalled {
        failures.push("the guest ran on without its disk".to_owned());
    }
    failures
}
