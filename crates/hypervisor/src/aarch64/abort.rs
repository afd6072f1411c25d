//! Accesses that KVM cannot take apart: pairs, vectors, exclusives, anything with write-back. The hardware does not say of them
//! which register they move, so nobody can answer them; the guest gets an external abort, and whoever made the access, a
//! process as a rule, dies of it alone.

use kvm_bindings as kvm;
use kvm_ioctls::VmFd;

use crate::kvm::Kvm;
use crate::vcpu::{Fault, Vcpu, VcpuError};
use crate::vm::VmError;

/// Has such accesses come to us, where this KVM can also hand the guest an abort for them. Elsewhere they end the run with
/// ENOSYS.
pub(super) fn take_over(host: &Kvm, fd: &VmFd) -> Result<(), VmError> {
    let needed = [kvm::KVM_CAP_ARM_NISV_TO_USER, kvm::KVM_CAP_ARM_INJECT_EXT_DABT];
    if needed.into_iter().any(|number| host.extension(number) <= 0) {
        return Ok(());
    }
    let enable = kvm::kvm_enable_cap { cap: kvm::KVM_CAP_ARM_NISV_TO_USER, ..Default::default() };
    fd.enable_cap(&enable).map_err(|e| VmError::new("KVM_ENABLE_CAP (KVM_CAP_ARM_NISV_TO_USER)", e.into()))
}

impl Vcpu {
    /// Gives the access that ended the last run back to the guest as an abort. Whether it was such an access.
    pub(crate) fn fault_back(&self, fault: &Fault) -> Result<bool, VcpuError> {
        if *fault != (Fault::Unexpected { reason: kvm::KVM_EXIT_ARM_NISV }) {
            return Ok(false);
        }
        // KVM knows the address from the exit. Zeros elsewhere change nothing.
        let mut events = kvm::kvm_vcpu_events::default();
        events.exception.ext_dabt_pending = 1;
        let done = self.fd.set_vcpu_events(&events);
        done.map(|()| true).map_err(|e| self.error("KVM_SET_VCPU_EVENTS (an external abort)", e.into()))
    }
}
