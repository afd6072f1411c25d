//! A guest with data disks: a qcow2 image behind its IOMMU, a raw one beside it. A signal ends its machine, as a service manager
//! does, and the images are whole nevertheless.

use super::Scenario;
use crate::disk::Disk;
use crate::images::{self, QCOW2, RAW};
use crate::report::Report;

/// What the guest must say of each disk.
const WORDS: [&str; 3] = ["digest", "copy", "hole"];

pub(super) fn scenario() -> Scenario {
    let mut scenario = Scenario::new("data-disks", "");
    scenario.guest.actions.extend(["data", "terminate"]);
    let layered = format!("{QCOW2},format=qcow2,iommu=viommu,id=layered");
    let plain = format!("{RAW},iommu=off,num-queues=2,id=plain");
    scenario.guest.options = ["--block", &layered, "--block", &plain].map(str::to_owned).into();
    scenario.emulated = 1;
    scenario
}

/// What does not hold of the disks, in the guest and in what it left of the images.
pub(super) fn failures(scenario: &Scenario, report: &Report, disk: &Disk) -> Vec<String> {
    if !scenario.guest.actions.contains(&"data") {
        return Vec::new();
    }
    let mut failures = Vec::new();
    for (serial, word) in ["layered", "plain"].into_iter().flat_map(|serial| WORDS.map(|word| (serial, word)))
    {
        let answer = if word == "digest" { disk.first_mib.as_str() } else { "ok" };
        let said = report.emulated.get(&format!("{serial}-{word}"));
        if said.map(String::as_str) != Some(answer) {
            failures.push(format!("disk {serial}: {word} is {said:?}, expected {answer}"));
        }
    }
    failures.extend(images::failures(&report.folder, disk));
    failures
}

#[cfg(test)]
mod tests;
