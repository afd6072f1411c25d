//! A device in memory that keeps the kernel's rules, and images of real devices' configuration spaces.

#![allow(clippy::unwrap_used, reason = "what the fakes cannot do, the test that uses them did wrong")]
#![cfg_attr(not(test), allow(dead_code, unused_imports, reason = "the tests of this crate use more of it"))]

mod device;
mod images;
mod machine;
pub mod subject;

pub(super) use device::FakeDevice;
pub(super) use images::{E1000E, Image, NVME};
pub(super) use machine::Machine;
