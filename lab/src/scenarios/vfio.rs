//! Scenarios where somebody inside the guest uses VFIO.

use super::{Scenario, whole_life};
use crate::arch::Arch;
use crate::qemu::Device;
use crate::report::Report;

/// From the kernel's driver to VFIO and back, pages all over the space of addresses, and what may end one process only.
const RIG: [&str; 3] = ["awkward", "in-guest --rounds 10", "space"];

/// All of them.
pub(super) fn all(arch: Arch) -> Vec<Scenario> {
    let mut scenarios = vec![scenario("vfio-in-guest", &[]), one_domain(), one_group()];
    if arch.messages_are_writes() {
        scenarios.push(scenario("vfio-in-guest-translate", &["--virtio-iommu=msi=translate"]));
    }
    scenarios
}

/// Two devices of two groups in one container of the guest's, and so in one domain.
fn one_domain() -> Scenario {
    let mut scenario = scenario("vfio-one-domain", &[]);
    scenario.guest.devices.push(Device::E1000e);
    scenario.guest.rig = vec!["in-guest --rounds 3 --with-network-card"];
    scenario.guest.actions.insert(0, "network");
    scenario
}

/// Rounds of the scenario `one-group`.
const MOVES: u64 = 3;

/// A disk and a network card that are functions of one slot, on the host and in the guest: one group, which goes from the
/// kernel's domain to that of a VFIO user and comes back, one function at a time.
fn one_group() -> Scenario {
    let mut scenario = scenario("one-group", &[]);
    scenario.guest.devices = vec![Device::PairedNvme, Device::PairedE1000e];
    scenario.guest.rig = vec!["in-guest --rounds 3 --with-group"];
    // The card works before and after as the disk does: its DMA has come back too.
    scenario.guest.actions = vec!["network", "disk", "vfio", "rig", "network", "disk"];
    scenario.judge = |scenario, report, disk| [whole_life(scenario, report, disk), moved(report)].concat();
    scenario
}

/// The guest has one group of both functions, and none of its ATTACHes was refused.
pub(super) fn moved(report: &Report) -> Vec<String> {
    let mut failures = Vec::new();
    let ours = |driver: &str| report.groups.iter().find(|group| group.driver == driver);
    match (ours("nvme"), ours("e1000e")) {
        (Some(disk), Some(card)) if disk.number == card.number => {}
        _ => failures.push(format!("disk and card are not in one guest group: {:?}", report.groups)),
    }
    let requests = report.viommu.iter().flat_map(|viommu| &viommu.requests);
    let (mut ok, mut failed) = (0, 0);
    for attach in requests.filter(|requests| requests.kind == "attach") {
        (ok, failed) = (ok + attach.ok, failed + attach.failed);
    }
    // Two functions: to the kernel's domain, then each time to the user's domain and back.
    let least = 2 + 4 * MOVES;
    if failed > 0 || ok < least {
        failures.push(format!("{ok} ATTACHes, expected {least} or more, and {failed} were refused"));
    }
    failures
}

/// The disk is read by the kernel's driver before and after.
fn scenario(name: &str, options: &[&str]) -> Scenario {
    let mut scenario = Scenario::new(name, "");
    scenario.guest.actions.extend(["vfio", "rig", "disk"]);
    scenario.guest.rig = RIG.into();
    scenario.guest.options = options.iter().map(|option| (*option).to_owned()).collect();
    scenario
}
