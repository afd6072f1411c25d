//! Assigned PCI devices.
