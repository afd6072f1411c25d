//! Guests that read one MiB of the disk and reboot at once: a VMM ends with each reset and starts anew, so nothing may be
//! left of the one before.

use super::{RESET, Scenario, checks, left_behind};
use crate::disk::Disk;
use crate::report::Report;

/// Reboots in a row.
const FEW: u32 = 3;
const MANY: u32 = 20;

pub(super) fn all(long: bool) -> Vec<Scenario> {
    (1..=if long { MANY } else { FEW }).map(scenario).collect()
}

fn scenario(number: u32) -> Scenario {
    let mut scenario = Scenario::new(&format!("again-{number}"), "");
    scenario.guest.actions = vec!["one-mib"];
    scenario.exit = RESET;
    scenario.judge = judge;
    scenario
}

fn judge(scenario: &Scenario, report: &Report, disk: &Disk) -> Vec<String> {
    let mut failures = left_behind(scenario, report);
    if report.exit != Some(scenario.exit) {
        let said = &report.said;
        failures.push(format!("exit code {:?}, expected {}; it said: {said}", report.exit, scenario.exit));
    }
    if report.first_mib.as_ref() != Some(&disk.first_mib) {
        failures.push(format!("digest read {:?}, expected {}", report.first_mib, disk.first_mib));
    }
    failures.extend(report.guest_failures.iter().map(|failure| format!("in the guest: {failure}")));
    failures.extend(checks::faults(report));
    failures
}
