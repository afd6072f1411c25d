//! Assigned PCI devices: a PCI function whose registers are those of a device of the host.
//!
//! - `layout` decides once, from an image of the configuration space, which bytes the guest shares with the device and
//!   which are emulated; capabilities that a guest must not use are hidden.
//! - BARs are mapped into the guest, but for the pages that hold the MSI-X table and pending bits.
//! - Interrupts go from VFIO's events to the guest without passing through this code.
//!
//! Invariant: no guest write reaches the physical BARs, the MSI and MSI-X capabilities, or the MSI-X table.

mod capabilities;
mod config;
mod direct;
mod error;
mod extended;
mod function;
mod host;
mod interrupts;
mod intx;
mod layout;
mod lookout;
mod msi;
mod msix;

pub use error::VfioPciError;
pub use function::{VfioPciDevice, VfioPciParts};
pub use lookout::{Lookout, Notice};

#[cfg(any(test, feature = "testkit"))]
pub mod testing;
#[cfg(test)]
mod tests;
