//! Scenarios where somebody inside the guest uses VFIO.

use super::Scenario;
use crate::arch::Arch;

/// From the kernel's driver to VFIO and back, and pages all over the space of addresses.
const RIG: [&str; 2] = ["in-guest --rounds 10", "space"];

/// All of them.
pub(super) fn all(arch: Arch) -> Vec<Scenario> {
    let mut scenarios = vec![scenario("vfio-in-guest", &[])];
    if arch.messages_are_writes() {
        scenarios.push(scenario("vfio-in-guest-translate", &["--virtio-iommu=msi=translate"]));
    }
    scenarios
}

/// The disk is read by the kernel's driver before and after.
fn scenario(name: &str, options: &[&str]) -> Scenario {
    let mut scenario = Scenario::new(name, "");
    scenario.guest.actions.extend(["vfio", "rig", "disk"]);
    scenario.guest.rig = RIG.into();
    scenario.guest.options = options.iter().map(|option| (*option).to_owned()).collect();
    scenario
}
