//! PCI: functions, configuration space, MSI-X, root complex, root ports, enumeration.

mod bar;
mod capability;
mod config;
mod config_ports;
mod ecam;
mod enumerate;
#[cfg(test)]
mod fake;
mod function;
mod host_bridge;
mod msix;
pub mod regs;
mod root;
mod root_port;

pub use bar::{Bar, BarKind};
pub use capability::{ExpressKind, MsixLayout, add_express, add_msix, add_power_management};
pub use config::{CONFIG_BYTES, ConfigError, ConfigSpace, Identity};
pub use config_ports::ConfigPorts;
pub use ecam::{Ecam, ecam_bytes};
pub use enumerate::{Apertures, EnumerateError, Placed, enumerate};
pub use function::{BarWindow, PciFunction};
pub use msix::{MAX_VECTORS, MsixChange, MsixTable};
pub use root::{PciError, PciRoot, PortId, SharedFunction};
pub use root_port::RootPort;
