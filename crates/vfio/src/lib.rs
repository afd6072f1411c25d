//! Thin safe calls over the kernel's VFIO interface: container, group, device.
//!
//! Invariants: an ioctl gets an argument of exactly the shape its number names; whatever the kernel answers is
//! bounds-checked before it is believed; the permission of a mapping is the caller's, never read-and-write by default.
//! The order of life: a device descriptor keeps its group open, a group keeps its container alive; drop them in the
//! order device, group, container, and the container's mappings go with the last group.
// UNSAFETY: ioctls are foreign calls; each block says why its argument fits.
#![allow(unsafe_code)]

mod assigned;
mod capability;
mod container;
mod device;
mod error;
mod group;
mod ioctl;
mod irq;
mod memory;
#[cfg(feature = "raw")]
mod raw;
mod region;
mod type1_info;

pub use assigned::{AssignedDevice, PciRegion};
pub use container::{Container, DmaPerm};
pub use device::Device;
pub use error::{InfoError, VfioError};
pub use group::Group;
pub use irq::{IrqAction, IrqInfo, PciIrq};
#[cfg(feature = "raw")]
pub use raw::{NOWHERE, RawMap};
pub use region::RegionInfo;
pub use type1_info::Type1Info;
