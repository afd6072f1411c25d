//! Which interrupt controllers KVM offers to guests of an Arm host; asked of KVM itself, for names in sysfs tell only what
//! the host uses.

use std::path::Path;

use super::GuestGics;

/// What the KVM at this node offers; `None` where it cannot be asked, or there is no choice.
#[cfg(target_arch = "aarch64")]
pub fn offered(node: &Path) -> Option<GuestGics> {
    let offer = hypervisor::Kvm::open(Some(node)).ok()?.detect_gic().ok()?;
    Some(GuestGics { v3: offer.v3, its: offer.its, v2: offer.v2 })
}

/// There is no choice on other architectures.
#[cfg(not(target_arch = "aarch64"))]
pub fn offered(_node: &Path) -> Option<GuestGics> {
    None
}
