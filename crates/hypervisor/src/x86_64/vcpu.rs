//! Setting a processor up, and the state in which the boot processor enters a 64-bit kernel.

use std::io;

use kvm_bindings as kvm;
use kvm_bindings::{kvm_msr_entry, kvm_segment};

use super::cpuid;
use crate::vcpu::{Vcpu, VcpuError};
use crate::vm::Vm;

/// How the boot processor enters the kernel: long mode, paging on, interrupts off. The segment registers hold the selectors
/// of the Linux boot protocol: 0x10 flat code, 0x18 flat data, 0x20 a task state; the table at `gdt_base` must say the same.
#[derive(Clone, Copy, Debug)]
pub struct LongModeEntry {
    /// Where it starts.
    pub rip: u64,
    /// Its argument: the guest-physical address of the boot parameters.
    pub rsi: u64,
    /// Stack.
    pub rsp: u64,
    /// Guest-physical address of the top page table.
    pub cr3: u64,
    /// Guest-physical address of the descriptor table.
    pub gdt_base: u64,
    /// Its last byte, from the base.
    pub gdt_limit: u16,
    /// Guest-physical address of the interrupt table.
    pub idt_base: u64,
    /// Its last byte, from the base.
    pub idt_limit: u16,
}

const CR0_PE: u64 = 1;
const CR0_MP: u64 = 1 << 1;
const CR0_ET: u64 = 1 << 4;
const CR0_NE: u64 = 1 << 5;
const CR0_PG: u64 = 1 << 31;
const CR4_PAE: u64 = 1 << 5;
const EFER_LME: u64 = 1 << 8;
const EFER_LMA: u64 = 1 << 10;
/// Always set.
const RFLAGS_ONE: u64 = 1 << 1;

/// Model-specific registers as a 64-bit kernel expects them.
const BOOT_MSRS: [(u32, u64); 11] = [
    (0x174, 0),       // SYSENTER_CS
    (0x175, 0),       // SYSENTER_ESP
    (0x176, 0),       // SYSENTER_EIP
    (0xc000_0081, 0), // STAR
    (0xc000_0082, 0), // LSTAR
    (0xc000_0083, 0), // CSTAR
    (0xc000_0084, 0), // SYSCALL_MASK
    (0xc000_0102, 0), // KERNEL_GS_BASE
    (0x10, 0),        // TSC
    (0x1a0, 1),       // MISC_ENABLE: fast strings
    (0x2ff, 0x806),   // MTRR_DEF_TYPE: enabled, write-back
];

impl Vcpu {
    /// CPUID, model-specific registers and the local APIC's pins.
    pub(crate) fn set_up(&self, vm: &Vm) -> Result<(), VcpuError> {
        let chips = vm.chips();
        let table = cpuid::table(&chips.cpuid, self.id(), chips.topology);
        let table = kvm::CpuId::from_entries(&table)
            .map_err(|e| self.error("building the CPUID table", io::Error::other(format!("{e:?}"))))?;
        self.fd.set_cpuid2(&table).map_err(|e| self.error("KVM_SET_CPUID2", e.into()))?;
        self.set_msrs()?;
        self.set_apic_pins()
    }

    /// Lets the boot processor start at `entry`. The others wait for the guest to start them (INIT, SIPI).
    pub fn enter_long_mode(&self, entry: &LongModeEntry) -> Result<(), VcpuError> {
        let mut sregs = self.fd.get_sregs().map_err(|e| self.error("KVM_GET_SREGS", e.into()))?;
        let data = segment(0x18, 0x3);
        sregs.cs = kvm_segment { l: 1, db: 0, ..segment(0x10, 0xb) };
        (sregs.ds, sregs.es, sregs.fs, sregs.gs, sregs.ss) = (data, data, data, data, data);
        sregs.tr = kvm_segment { s: 0, g: 0, db: 0, limit: 0x67, ..segment(0x20, 0xb) };
        sregs.gdt = kvm::kvm_dtable { base: entry.gdt_base, limit: entry.gdt_limit, ..Default::default() };
        sregs.idt = kvm::kvm_dtable { base: entry.idt_base, limit: entry.idt_limit, ..Default::default() };
        sregs.cr3 = entry.cr3;
        sregs.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_PG;
        sregs.cr4 = CR4_PAE;
        sregs.efer = EFER_LME | EFER_LMA;
        self.fd.set_sregs(&sregs).map_err(|e| self.error("KVM_SET_SREGS", e.into()))?;
        let regs = kvm::kvm_regs {
            rip: entry.rip,
            rsi: entry.rsi,
            rsp: entry.rsp,
            rbp: entry.rsp,
            rflags: RFLAGS_ONE,
            ..Default::default()
        };
        self.fd.set_regs(&regs).map_err(|e| self.error("KVM_SET_REGS", e.into()))?;
        let fpu = kvm::kvm_fpu { fcw: 0x37f, mxcsr: 0x1f80, ..Default::default() };
        self.fd.set_fpu(&fpu).map_err(|e| self.error("KVM_SET_FPU", e.into()))
    }

    /// `None`: the time stamp counter goes on with the host's.
    pub fn clock(&self) -> Result<Option<u64>, VcpuError> {
        Ok(None)
    }

    /// Nothing to do, see [`Vcpu::clock`].
    pub fn set_clock(&self, _ticks: u64) -> Result<(), VcpuError> {
        Ok(())
    }

    /// Tells a guest that uses KVM's clock that this processor stood still, so that its watchdogs do not bark.
    pub fn was_halted(&self) -> Result<(), VcpuError> {
        match self.fd.kvmclock_ctrl() {
            // The guest uses another clock.
            Err(errno) if errno.errno() == libc::EINVAL => Ok(()),
            told => told.map_err(|e| self.error("KVM_KVMCLOCK_CTRL", e.into())),
        }
    }

    /// Guest program counter, for messages.
    pub(crate) fn pc(&self) -> Option<u64> {
        self.fd.get_regs().ok().map(|regs| regs.rip)
    }

    /// Sets what the host lets us set: under nesting or emulation some registers do not exist, and none of these is vital.
    fn set_msrs(&self) -> Result<(), VcpuError> {
        let mut left = &BOOT_MSRS[..];
        while !left.is_empty() {
            let entries: Vec<_> = left
                .iter()
                .map(|(index, data)| kvm_msr_entry { index: *index, data: *data, ..Default::default() })
                .collect();
            let msrs = kvm::Msrs::from_entries(&entries)
                .map_err(|e| self.error("building the MSR list", io::Error::other(format!("{e:?}"))))?;
            let done = self.fd.set_msrs(&msrs).map_err(|e| self.error("KVM_SET_MSRS", e.into()))?;
            if let Some((index, _)) = left.get(done) {
                log::debug!("processor {}: KVM does not take model-specific register {index:#x}", self.id());
            }
            left = left.get(done + 1..).unwrap_or(&[]);
        }
        Ok(())
    }

    /// LINT0 takes the PIC's interrupts, LINT1 is the NMI.
    fn set_apic_pins(&self) -> Result<(), VcpuError> {
        let mut apic = self.fd.get_lapic().map_err(|e| self.error("KVM_GET_LAPIC", e.into()))?;
        for (offset, mode) in [(0x350, 7u8), (0x360, 4)] {
            // Bits 8 to 10 of the register: the low three of its second byte.
            let byte = apic.regs[offset + 1] as u8;
            apic.regs[offset + 1] = ((byte & !7) | mode) as libc::c_char;
        }
        self.fd.set_lapic(&apic).map_err(|e| self.error("KVM_SET_LAPIC", e.into()))
    }
}

/// A flat, present segment of the given type.
fn segment(selector: u16, type_: u8) -> kvm_segment {
    kvm_segment { limit: 0xffff_ffff, selector, type_, present: 1, db: 1, s: 1, g: 1, ..Default::default() }
}

#[cfg(test)]
mod tests;
