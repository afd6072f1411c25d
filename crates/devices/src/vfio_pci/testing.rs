//! A device in memory that keeps the kernel's rules, and images of real devices' configuration spaces.

mod device;
mod images;
mod machine;

pub(super) use device::FakeDevice;
pub(super) use images::{E1000E, Image, NVME};
pub(super) use machine::Machine;
