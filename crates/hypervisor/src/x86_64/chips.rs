//! The chips of a PC, all in the kernel: PICs, IOAPIC, local APICs, PIT; and the pages that KVM wants for itself.

use std::io;

use data_model::Span;
use kvm_bindings as kvm;
use kvm_ioctls::VmFd;
use vmm_sys_util::ioctl::ioctl_with_ref;
use vmm_sys_util::ioctl_io_nr;

use super::cpuid;
use crate::kvm::{Kvm, OpenError};
use crate::routes::Wiring;
use crate::vm::{VmConfig, VmError};

// kvm-ioctls has no such call.
ioctl_io_nr!(KVM_REINJECT_CONTROL, kvm::KVMIO, 0x71);

/// The module to load where KVM is absent.
pub(crate) const MODULE: &str = "kvm_intel` or `modprobe kvm_amd";
/// APIC ids are one byte, and 255 means everybody.
pub(crate) const MAX_VCPUS: u32 = 255;
/// What machines need besides the common capabilities.
pub(crate) const NEEDED: &[(u32, &str)] = &[
    (kvm::KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID"),
    (kvm::KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR"),
    (kvm::KVM_CAP_SET_IDENTITY_MAP_ADDR, "KVM_CAP_SET_IDENTITY_MAP_ADDR"),
    (kvm::KVM_CAP_PIT2, "KVM_CAP_PIT2"),
    (kvm::KVM_CAP_MP_STATE, "KVM_CAP_MP_STATE"),
];

/// One page for real mode without paging, then three for the task state; between the IOAPICs and the firmware's end.
const IDENTITY_MAP: u64 = 0xfffb_c000;
const TSS: u64 = 0xfffb_d000;
const KVM_PAGES: Span = match Span::new(IDENTITY_MAP, TSS + 0x2fff) {
    Some(span) => span,
    None => Span::ALL,
};
/// Guest-physical ranges where memory must not be placed.
pub(crate) const RESERVED: &[(Span, &str)] = &[(KVM_PAGES, "KVM's own pages (TSS, identity map)")];

/// The chips of one machine, and the CPUID that its processors start from.
pub(crate) struct Chips {
    pub(crate) cpuid: Vec<kvm::kvm_cpuid_entry2>,
    pub(crate) topology: cpuid::Topology,
}

impl Chips {
    /// The chips work without a second step.
    pub(crate) const READY_AT_ONCE: bool = true;

    pub(crate) fn new(host: &Kvm, fd: &VmFd, config: &VmConfig) -> Result<Chips, VmError> {
        let failed = |call| move |errno: kvm_ioctls::Error| VmError::new(call, errno.into());
        fd.set_identity_map_address(IDENTITY_MAP).map_err(failed("KVM_SET_IDENTITY_MAP_ADDR"))?;
        fd.set_tss_address(TSS as usize).map_err(failed("KVM_SET_TSS_ADDR"))?;
        fd.create_irq_chip().map_err(failed("KVM_CREATE_IRQCHIP"))?;
        // The dummy speaker answers port 0x61, which kernels use to calibrate their clock.
        let pit = kvm::kvm_pit_config { flags: kvm::KVM_PIT_SPEAKER_DUMMY, ..Default::default() };
        fd.create_pit2(pit).map_err(failed("KVM_CREATE_PIT2"))?;
        if host.extension(kvm::KVM_CAP_REINJECT_CONTROL) > 0 {
            drop_missed_ticks(fd).map_err(|e| VmError::new("KVM_REINJECT_CONTROL", e))?;
        }
        let tsc_deadline = host.extension(kvm::KVM_CAP_TSC_DEADLINE_TIMER) > 0;
        let topology = cpuid::Topology { cpus: config.vcpus, tsc_deadline };
        Ok(Chips { cpuid: host.supported_cpuid()?, topology })
    }

    /// Nothing is left to do.
    pub(crate) fn finish(&self) -> Result<(), VmError> {
        Ok(())
    }

    pub(crate) fn wiring(&self) -> Wiring {
        Wiring::Pc
    }

    /// Local APICs do not know device ids.
    pub(crate) fn devids(&self) -> bool {
        false
    }
}

/// Ticks of the PIT that the guest was too slow for are lost, and not made up for. To make up for them KVM must see each end of
/// interrupt, so on AMD every processor would do without AVIC, which delivers interrupts without an exit. Kernels that keep time
/// by other clocks lose nothing.
fn drop_missed_ticks(fd: &VmFd) -> io::Result<()> {
    let control = kvm::kvm_reinject_control { pit_reinject: 0, ..Default::default() };
    // SAFETY: the kernel reads this structure and changes nothing but the PIT, which exists.
    match unsafe { ioctl_with_ref(fd, KVM_REINJECT_CONTROL(), &control) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

impl Kvm {
    /// Width of guest-physical addresses in bits.
    pub fn phys_bits(&self) -> Result<u8, OpenError> {
        Ok(cpuid::phys_bits(&self.supported_cpuid()?))
    }

    fn supported_cpuid(&self) -> Result<Vec<kvm::kvm_cpuid_entry2>, OpenError> {
        let table = self.fd().get_supported_cpuid(kvm::KVM_MAX_CPUID_ENTRIES);
        let failed = |errno: kvm_ioctls::Error| OpenError::Ask {
            call: "KVM_GET_SUPPORTED_CPUID",
            source: errno.into(),
        };
        Ok(table.map_err(failed)?.as_slice().to_vec())
    }
}
