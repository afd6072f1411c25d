//! What a guest finds in memory at boot: kernel, command line, tables, and the map that says where everything is.
//!
//! Pure bytes: nothing here knows KVM or a device. Both architectures compile on every host, so that their tables can be
//! tested anywhere; only the x86 kernel loader, which stands on an arch-gated library, does not.
//!
//! A layout is decided first ([`x86_64::Layout`], [`aarch64::Layout`]); devices and the hypervisor take their places from
//! it; `load` then fills guest memory and says where the first processor starts.

pub mod aarch64;
mod guest_files;
mod load_error;
mod shape;
mod span_map;
pub mod x86_64;

pub use guest_files::BootFiles;
pub use load_error::LoadError;
pub use shape::{PciShape, TopologyError, ViommuShape};
pub use span_map::{BarRoom, LayoutError, NamedSpan, RAM_UNIT, SMALLEST_RAM};
