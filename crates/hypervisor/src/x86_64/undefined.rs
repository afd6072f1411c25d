//! Accesses that KVM cannot emulate: vectors, saved states, most of what is no plain move. To the guest they are undefined
//! instructions (#UD). KVM hands those of a process over without a word; those of the guest's kernel end the run, and only some
//! versions have the exception ready by then.
//!
//! A process can bring its kernel to such an access: with a stack for signals on a device the kernel saves registers there (XSAVE).

use kvm_bindings as kvm;

use crate::vcpu::{Fault, Vcpu, VcpuError};

const UNDEFINED: u8 = 6;

impl Vcpu {
    /// Gives the access that ended the last run back to the guest as an exception. Whether it was such an access.
    pub(crate) fn fault_back(&self, fault: &Fault) -> Result<bool, VcpuError> {
        if !matches!(fault, Fault::Internal { suberror: kvm::KVM_INTERNAL_ERROR_EMULATION, .. }) {
            return Ok(false);
        }
        let events = self.fd.get_vcpu_events();
        let mut events = events.map_err(|e| self.error("KVM_GET_VCPU_EVENTS", e.into()))?;
        let exception = &mut events.exception;
        if exception.injected | exception.pending != 0 {
            // Another one is what KVM could not go on with.
            return Ok(exception.nr == UNDEFINED);
        }
        (exception.injected, exception.nr, exception.has_error_code) = (1, UNDEFINED, 0);
        // Without flags the rest stays as it is, whatever has come since it was read.
        events.flags = 0;
        let done = self.fd.set_vcpu_events(&events);
        done.map(|()| true).map_err(|e| self.error("KVM_SET_VCPU_EVENTS (#UD)", e.into()))
    }
}
