//! KVM, thin and safe: the machine, its processors, memory slots, interrupt routes, doorbells and the VFIO link.
//!
//! Nothing here knows a device or a boot protocol. What can be decided without the kernel (which slot, which GSI, which
//! routing table, which CPUID) is decided by plain types behind [`IrqSink`] and [`MemorySink`], so it is tested without it.
// UNSAFETY: hands addresses to KVM and reads the unions that it fills; each block says why it is sound.
#![allow(unsafe_code)]

mod ids;
mod irq;
mod kick;
mod kvm;
mod line;
mod memory;
mod msi;
mod routes;
mod vcpu;
mod vfio;
mod vm;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
use aarch64 as arch;
#[cfg(target_arch = "x86_64")]
use x86_64 as arch;

pub use arch::*;
pub use irq::{IrqError, IrqPlan, IrqRoutes, IrqSink};
pub use kick::{VcpuKicker, install_signal_handler};
pub use kvm::{Kvm, OpenError};
pub use line::Line;
pub use memory::{DeviceMapping, MemoryError, MemorySink, SlotId};
pub use msi::MsiGsi;
pub use routes::{Route, Target, Wiring};
pub use vcpu::{Exit, ExitHandler, Fault, Stuck, Unanswerable, Vcpu, VcpuError};
pub use vfio::VfioLink;
pub use vm::{Vm, VmConfig, VmError};
