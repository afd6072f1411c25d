//! A guest on x86_64: a PC without firmware, told about itself by ACPI, started in 64-bit mode.

mod acpi;
mod layout;
#[cfg(target_arch = "x86_64")]
mod load;
#[cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "only the loader, which is gated, uses it")
)]
mod page_tables;
pub mod ports;
#[cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "only the loader, which is gated, uses it")
)]
mod segments;
#[cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "only the loader, which is gated, uses it")
)]
mod zero_page;

pub use acpi::{AcpiError, AcpiShape, AcpiTables};
pub use layout::{KVM_IDENTITY_MAP, KVM_TSS, Layout};
#[cfg(target_arch = "x86_64")]
pub use load::{Boot, load};
pub use segments::{EntryPoint, Segment};
