//! Scenarios where somebody inside the guest uses VFIO.

use super::Scenario;
use crate::arch::Arch;
use crate::qemu::Device;

/// From the kernel's driver to VFIO and back, pages all over the space of addresses, and what may end one process only.
const RIG: [&str; 3] = ["awkward", "in-guest --rounds 10", "space"];

/// All of them.
pub(super) fn all(arch: Arch) -> Vec<Scenario> {
    let mut scenarios = vec![scenario("vfio-in-guest", &[]), one_domain()];
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

/// The disk is read by the kernel's driver before and after.
fn scenario(name: &str, options: &[&str]) -> Scenario {
    let mut scenario = Scenario::new(name, "");
    scenario.guest.actions.extend(["vfio", "rig", "disk"]);
    scenario.guest.rig = RIG.into();
    scenario.guest.options = options.iter().map(|option| (*option).to_owned()).collect();
    scenario
}
