//! PCI: functions, configuration space, MSI-X, root complex, root ports, enumeration.

mod function;

pub use function::{BarWindow, PciFunction};
