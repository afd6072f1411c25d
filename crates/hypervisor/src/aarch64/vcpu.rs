//! Setting a processor up, and the state in which the boot processor enters a kernel.

use std::mem::offset_of;

use kvm_bindings as kvm;
use kvm_bindings::{kvm_regs, user_pt_regs};

use crate::vcpu::{Vcpu, VcpuError};
use crate::vm::Vm;

/// Private interrupts of the architected timer, counted from PPI 0 (INTID 16), for the device tree and the GTDT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerPpis {
    /// Secure physical timer.
    pub secure: u32,
    /// Non-secure physical timer.
    pub physical: u32,
    /// Virtual timer.
    pub virtual_: u32,
    /// Hypervisor's physical timer.
    pub hypervisor: u32,
}

/// Where KVM puts the timer's interrupts unless told otherwise.
pub const TIMER_PPIS: TimerPpis = TimerPpis { secure: 13, physical: 14, virtual_: 11, hypervisor: 10 };

/// EL1 with its own stack pointer; debug exceptions, SErrors, IRQs and FIQs masked.
const BOOT_PSTATE: u64 = 0x3c5;
/// `MPIDR_EL1`: op0 3, op1 0, CRn 0, CRm 0, op2 5.
const MPIDR_EL1: u64 =
    kvm::KVM_REG_ARM64 | kvm::KVM_REG_SIZE_U64 | (kvm::KVM_REG_ARM64_SYSREG as u64) | 3 << 14 | 5;

/// The guest's virtual counter, `KVM_REG_ARM_TIMER_CNT`: op0 3, op1 3, CRn 14, CRm 3, op2 2.
const TIMER_CNT: u64 = kvm::KVM_REG_ARM64
    | kvm::KVM_REG_SIZE_U64
    | (kvm::KVM_REG_ARM64_SYSREG as u64)
    | 3 << 14
    | 3 << 11
    | 14 << 7
    | 3 << 3
    | 2;

/// The KVM name of the core register at this byte offset in `kvm_regs`.
const fn core_reg(offset: usize) -> u64 {
    kvm::KVM_REG_ARM64 | kvm::KVM_REG_SIZE_U64 | kvm::KVM_REG_ARM_CORE as u64 | (offset / 4) as u64
}

const X0: u64 = core_reg(offset_of!(kvm_regs, regs) + offset_of!(user_pt_regs, regs));
const PC: u64 = core_reg(offset_of!(kvm_regs, regs) + offset_of!(user_pt_regs, pc));
const PSTATE: u64 = core_reg(offset_of!(kvm_regs, regs) + offset_of!(user_pt_regs, pstate));

impl Vcpu {
    /// The host's own processor with PSCI 0.2; all but the boot processor switched off.
    pub(crate) fn set_up(&self, vm: &Vm) -> Result<(), VcpuError> {
        let mut init = kvm::kvm_vcpu_init::default();
        let fd = &vm.handle().fd;
        fd.get_preferred_target(&mut init).map_err(|e| self.error("KVM_ARM_PREFERRED_TARGET", e.into()))?;
        init.features[0] |= 1 << kvm::KVM_ARM_VCPU_PSCI_0_2;
        if self.id() != 0 {
            init.features[0] |= 1 << kvm::KVM_ARM_VCPU_POWER_OFF;
        }
        self.fd.vcpu_init(&init).map_err(|e| self.error("KVM_ARM_VCPU_INIT", e.into()))
    }

    /// Lets the boot processor start at guest-physical `pc` with `x0` (of a Linux kernel: the device tree's address), MMU and
    /// interrupts off.
    pub fn enter_kernel(&self, pc: u64, x0: u64) -> Result<(), VcpuError> {
        for (register, value) in [(PSTATE, BOOT_PSTATE), (PC, pc), (X0, x0)] {
            let done = self.fd.set_one_reg(register, &value.to_le_bytes());
            done.map_err(|e| self.error("KVM_SET_ONE_REG", e.into()))?;
        }
        Ok(())
    }

    /// The processor's affinity (`MPIDR_EL1`, bits 0-23 and 32-39), as the device tree and the MADT want it.
    pub fn mpidr(&self) -> Result<u64, VcpuError> {
        let value = self.read(MPIDR_EL1).map_err(|e| self.error("KVM_GET_ONE_REG (MPIDR_EL1)", e.into()))?;
        Ok(value & 0xff_00ff_ffff)
    }

    /// The guest's virtual counter, in ticks. All processors of a machine have the same.
    pub fn clock(&self) -> Result<Option<u64>, VcpuError> {
        let ticks = self.read(TIMER_CNT);
        ticks.map(Some).map_err(|e| self.error("KVM_GET_ONE_REG (TIMER_CNT)", e.into()))
    }

    /// Lets the machine's virtual counter go on from `ticks`; no processor may be in the guest.
    pub fn set_clock(&self, ticks: u64) -> Result<(), VcpuError> {
        let done = self.fd.set_one_reg(TIMER_CNT, &ticks.to_le_bytes());
        done.map(drop).map_err(|e| self.error("KVM_SET_ONE_REG (TIMER_CNT)", e.into()))
    }

    /// Nothing to tell: a guest whose counter stood still has missed nothing.
    pub fn was_halted(&self) -> Result<(), VcpuError> {
        Ok(())
    }

    /// Guest program counter, for messages.
    pub(crate) fn pc(&self) -> Option<u64> {
        self.read(PC).ok()
    }

    fn read(&self, register: u64) -> Result<u64, kvm_ioctls::Error> {
        let mut bytes = [0; 8];
        self.fd.get_one_reg(register, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}

#[cfg(test)]
mod tests;
