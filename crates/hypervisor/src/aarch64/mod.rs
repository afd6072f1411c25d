//! What is particular to aarch64: the GIC and the state in which a kernel is entered.

mod abort;
mod gic;
mod vcpu;

pub(crate) use gic::{Chips, MAX_VCPUS, MODULE, NEEDED, RESERVED};
pub use gic::{GicConfig, GicLayout, GicOffer};
pub use vcpu::{TIMER_PPIS, TimerPpis};
