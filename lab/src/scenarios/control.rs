//! A guest that is halted under load for longer than its watchdogs sleep, goes on, and is stopped while halted again.

use super::Scenario;
use crate::qemu::Device;
use crate::report::{Halt, Report};
use crate::viommu::Viommu;

/// Bytes of a page of the lab hosts' kernels.
const PAGE: u64 = 4096;

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
    let shown = halt.shown.as_ref();
    let pinned = shown.map(|shown| shown.pinned / PAGE);
    let listed =
        |shown: &Viommu| shown.domains.iter().all(|domain| domain.slots.len() as u64 == domain.mappings);
    let checks = checks.into_iter().chain([
        (
            pinned.is_some() && pinned == halt.pinned_pages,
            "the kernel had pinned other pages than it was shown to hold",
        ),
        (shown.is_some_and(listed), "not every mapping was listed"),
    ]);
    let mut failures: Vec<_> = checks
        .filter(|(holds, _)| !holds)
        .map(|(_, what)| {
            let Halt { time_running, time_halted, console, barks, pinned_pages, .. } = halt;
            format!(
                "the halted guest: {what}: time {time_running:?} and {time_halted:?}, console {console:?}, barks {barks:?}, \
                 pages {pinned:?} shown, {pinned_pages:?} in the kernel"
            )
        })
        .collect();
    failures.extend(halt.refused.iter().map(|what| format!("not done: mixvm {what}")));
    failures
}

#[cfg(test)]
mod tests;
