//! Devices in jailed processes of their own.
//!
//! Main opens everything, starts a worker for each device by executing itself again, and hands over exactly the
//! descriptors that the device needs. The worker builds the device, enters its jail and answers. Who holds what:
//! - the *island* (virtual IOMMU and the emulated devices behind it): guest RAM, the containers, what those devices need; no
//!   descriptor of an assigned device;
//! - a process for each assigned device: the device's descriptor; neither containers nor guest RAM;
//! - a process for each other device: guest RAM, and what the device needs.
//!
//! Main keeps copies of containers and device descriptors for two purposes: when a worker dies, the undertaker empties and
//! resets what it held; and the kernel tells main when the host wants a device back.

mod emulated;
mod island;
mod link;
mod report;
mod said;
mod sandbox;
mod setup;
mod undertaker;
mod worker;

pub use link::IslandLink;
pub use sandbox::{Sandbox, Wiring, copy, patience};
pub use setup::{EmulatedKind, EmulatedSetup, ImageFormat, IslandSetup, LegSetup, Setup};
pub use undertaker::Undertaker;
pub use worker::worker_main;

#[cfg(test)]
mod tests;
