//! Virtio: the device trait, the PCI transport, and the devices.

mod device;
pub mod iommu;

pub use device::{Activation, ActivateError, QueueHandle, VirtioDevice, VirtioInterrupt};
