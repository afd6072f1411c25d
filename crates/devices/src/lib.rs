//! Emulated and assigned devices: PCI, virtio, VFIO, platform.
//!
//! No KVM here: interrupts, doorbells and memory slots come in as the small traits of [`irq`] and [`slots`], so
//! that a device can be tested without a machine.

pub mod bus;
pub mod irq;
pub mod pci;
pub mod platform;
pub mod remote;
pub mod slots;
pub mod vfio_pci;
pub mod virtio;
