//! Guests with emulated devices behind their IOMMU, next to the assigned ones.

use super::Scenario;
use crate::disk::Disk;
use crate::report::Report;
use crate::root;

/// The guest's root file system is on an emulated disk.
pub(super) fn all() -> Vec<Scenario> {
    let mut root = Scenario::new("root-disk", "lab.root=/dev/vda");
    root.guest.actions.push("emulated");
    let disk = format!("{},iommu=viommu,id=root", root::PATH);
    root.guest.options = ["--rng", "iommu=viommu", "--block", &disk].map(str::to_owned).into();
    root.emulated = 2;
    vec![root]
}

/// What does not hold of the emulated devices.
pub(super) fn failures(scenario: &Scenario, report: &Report, disk: &Disk) -> Vec<String> {
    if !scenario.guest.actions.contains(&"emulated") {
        return Vec::new();
    }
    let wanted = [("root", "/dev/vda"), ("digest", &disk.digest), ("copy", "ok"), ("random", "ok")];
    let mut failures = Vec::new();
    for (word, answer) in wanted {
        let said = report.emulated.get(word);
        if said.map(String::as_str) != Some(answer) {
            failures.push(format!("emulated devices: {word} is {said:?}, expected {answer}"));
        }
    }
    let groups = report.groups.iter().filter(|group| group.driver == "virtio-pci").count();
    if groups != scenario.emulated {
        failures.push(format!(
            "{groups} emulated devices have a group in the guest, expected {}",
            scenario.emulated
        ));
    }
    failures
}
