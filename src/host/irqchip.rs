//! What the names of the host's interrupt chips (`/sys/kernel/irq/*/chip_name`) tell.
//!
//! No file says whether a group's interrupts are isolated, but Linux names the chips that isolate them: `IR-…` with
//! interrupt remapping on x86, `ITS-…` behind an ITS on Arm.

use super::{HostGic, Isolation};
use crate::config::Arch;

/// Whether MSIs are isolated.
pub fn isolation(arch: Arch, chips: &[String]) -> Isolation {
    let any = |start: &str| chips.iter().any(|chip| chip.starts_with(start));
    match arch {
        _ if chips.is_empty() => Isolation::Unknown,
        Arch::X86_64 if any("IR-") => Isolation::Isolated,
        Arch::X86_64 => Isolation::Shared,
        // Both can be in one machine; then nothing is known about the device in question.
        Arch::Aarch64 if any("GICv2m") && !any("ITS-") => Isolation::Shared,
        Arch::Aarch64 if any("ITS-") && !any("GICv2m") => Isolation::Isolated,
        Arch::Aarch64 => Isolation::Unknown,
    }
}

/// The host's interrupt controller.
pub fn gic(chips: &[String]) -> Option<HostGic> {
    let any = |names: &[&str]| chips.iter().any(|chip| names.iter().any(|name| chip == name));
    if any(&["GICv3", "GICv4", "GICv4.1", "GICv5"]) {
        return Some(HostGic::V3);
    }
    any(&["GICv2", "GIC-0", "GIC"]).then_some(HostGic::V2)
}
