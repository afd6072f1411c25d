//! A guest that is halted under load for longer than its watchdogs sleep, goes on, and is stopped while halted again.

use super::Scenario;
use crate::qemu::Device;
use crate::report::Report;

/// The scenario.
pub(super) fn suspend() -> Scenario {
    let mut scenario = Scenario::new("suspend", "");
    scenario.guest.cpus = 2;
    scenario.guest.devices.push(Device::E1000e);
    scenario.guest.actions.extend(["network", "halt", "stop"]);
    scenario
}

/// What does not hold about the halt; empty for guests that were not to be halted.
pub(super) fn failures(scenario: &Scenario, report: &Report) -> Vec<String> {
    if !scenario.guest.actions.contains(&"halt") {
        return Vec::new();
    }
    let halt = &report.halt;
    let checks = [
        (halt.time_running > Some(0), "its processors' threads used no time before"),
        (halt.time_halted == Some(0), "its processors' threads used time while it was halted"),
        (halt.console == Some(0), "it wrote to its console while it was halted"),
        (halt.barks == Some(0), "its watchdogs noticed the halt"),
    ];
    let mut failures: Vec<_> = checks
        .iter()
        .filter(|(holds, _)| !holds)
        .map(|(_, what)| format!("the halted guest: {what}: {halt:?}"))
        .collect();
    failures.extend(halt.refused.iter().map(|what| format!("not done: mixvm {what}")));
    failures
}

#[cfg(test)]
mod tests;
