//! Which interrupt controllers KVM offers to guests of an Arm host; asked of KVM itself, for names in sysfs tell only what
//! the host uses.

use hypervisor::Kvm;

use super::GuestGics;

/// What KVM offers; `None` where it does not answer, or there is no choice.
#[cfg(target_arch = "aarch64")]
pub fn offered(kvm: &Kvm) -> Option<GuestGics> {
    let offer = kvm.detect_gic().ok()?;
    Some(GuestGics { v3: offer.v3, its: offer.its, v2: offer.v2 })
}

/// There is no choice on other architectures.
#[cfg(not(target_arch = "aarch64"))]
pub fn offered(_kvm: &Kvm) -> Option<GuestGics> {
    None
}
