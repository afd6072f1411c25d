//! Checks of one thing each: what `rig` found in the guest, faults of the host, clocks, interrupts of every queue, refused
//! mappings.

use std::collections::BTreeSet;

use super::{Scenario, left_behind};
use crate::faults::address_in;
use crate::report::Report;

/// Bytes of a page; hosts report the address of an access or that of its page.
const PAGE: u64 = 4096;
/// Seconds that clocks may differ.
const CLOCK_SLACK: u64 = 10;

/// Every run of `rig` in the guest must end well, and what it found wrong is told.
pub(super) fn rig(scenario: &Scenario, report: &Report) -> Vec<String> {
    let ended_well = |words: &str| report.rig.iter().any(|line| *line == format!("exit 0 {words}"));
    let told = report.rig.iter().filter(|line| line.starts_with("FAILED"));
    let bad = scenario.guest.rig.iter().filter(|words| !ended_well(words));
    let bad = bad.map(|words| format!("`rig {words}` did not end well in the guest"));
    told.map(|line| format!("rig: {line}")).chain(bad).collect()
}

/// A guest whose device was driven by `rig` ends well, and `rig` finds nothing wrong.
pub(super) fn raw_driver(scenario: &Scenario, report: &Report) -> Vec<String> {
    let mut failures = ended_well(scenario, report);
    failures.extend(rig(scenario, report));
    failures
}

/// A guest ends as it should, has nothing to complain of, and leaves nothing behind.
pub(super) fn ended_well(scenario: &Scenario, report: &Report) -> Vec<String> {
    let mut failures = left_behind(scenario, report);
    if report.exit != Some(scenario.exit) {
        let said = &report.said;
        failures.push(format!("exit code {:?}, expected {}; it said: {said}", report.exit, scenario.exit));
    }
    failures.extend(report.guest_failures.iter().map(|failure| format!("in the guest: {failure}")));
    failures.extend(faults(report));
    failures
}

/// The host's IOMMU stops nothing, but for the accesses that `rig` has made in the guest for that purpose; of those it must
/// have stopped some.
pub(super) fn faults(report: &Report) -> Vec<String> {
    let blocked: BTreeSet<u64> =
        report.rig.iter().filter_map(|line| line.strip_prefix("blocked ")).flat_map(pages).collect();
    let expected = |line: &str| match address_in(line) {
        Some(address) => blocked.contains(&(address & !(PAGE - 1))),
        // A line before those with the addresses.
        None => !blocked.is_empty() && line.contains("fault status"),
    };
    let surprises = report.host_faults.iter().filter(|line| !expected(line));
    let mut failures: Vec<_> = surprises.map(|fault| format!("the host's IOMMU reported: {fault}")).collect();
    let seen = report.host_faults.iter().any(|line| expected(line));
    if !blocked.is_empty() && !seen {
        failures.push("the host's IOMMU reported none of the accesses that were to be blocked".to_owned());
    }
    failures
}

fn pages(list: &str) -> impl Iterator<Item = u64> + '_ {
    list.split_whitespace().filter_map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok())
}

/// Each queue of the disk took an interrupt: one for commands of administration, one for each processor.
pub(super) fn queues(scenario: &Scenario, report: &Report) -> Vec<String> {
    let silent = |queue: &u32| {
        let name = format!("q{queue}");
        let mut vectors = report.vectors.iter().filter(|vector| vector.name.starts_with("nvme"));
        !vectors.any(|vector| vector.name.ends_with(&name) && vector.taken > 0)
    };
    let all = 0..=scenario.guest.cpus;
    all.filter(silent).map(|queue| format!("no interrupt of the disk's queue {queue}")).collect()
}

/// The guest's clock goes by the host's. An emulated clock may be behind by what its emulator was not given a processor for.
pub(super) fn clock(report: &Report) -> Option<String> {
    let (before, after) = report.host_dates;
    let shown = report.date.zip(before).zip(after);
    let right = shown.is_some_and(|((guest, before), after)| {
        (before.saturating_sub(CLOCK_SLACK)..=after.saturating_add(CLOCK_SLACK)).contains(&guest)
    });
    let told = || format!("the guest's clock showed {:?}, the host's {before:?} to {after:?}", report.date);
    (!right).then(told)
}

/// What the guest's kernel allows, the virtual IOMMU must not refuse: Linux does not look at the answer.
pub(super) fn refused_maps(report: &Report) -> Option<String> {
    let requests = report.viommu.iter().flat_map(|viommu| &viommu.requests);
    let refused: u64 = requests.filter(|kind| kind.kind == "map").map(|kind| kind.failed).sum();
    (refused > 0).then(|| format!("{refused} mappings of the guest were refused"))
}
