//! A guest on aarch64: a machine without firmware, told about itself by a device tree, started at the kernel's first byte.

mod fdt;
mod gic;
mod image;
pub mod irqs;
mod layout;
mod load;

pub use fdt::{FdtError, FdtShape, Seeds, device_tree};
pub use gic::{Gic, MsiFrame};
pub use layout::{Layout, MOST_CPUS};
pub use load::{Boot, EntryPoint, UART_CLOCK, default_mpidr, load};
