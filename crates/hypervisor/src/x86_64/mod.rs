//! What is particular to x86_64: the chips of a PC, CPUID, the state in which a 64-bit kernel is entered.

mod chips;
mod cpuid;
mod undefined;
mod vcpu;

pub(crate) use chips::{Chips, MAX_VCPUS, MODULE, NEEDED, RESERVED};
pub use vcpu::LongModeEntry;
