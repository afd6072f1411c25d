//! The virtio-iommu device: requests from a queue, through the pure state machine, to the host.
//!
//! One request: copy at most 72 bytes out of guest memory once → [`virtio_iommu_spec::decode`] → [`Core::handle`] →
//! reply with exactly the length that its type calls for. Invariants:
//! - every chain comes back, whatever is wrong with it; a chain that is no request comes back unwritten with length 0;
//! - nothing is carried out whose answer has no room to be written;
//! - a request makes at most one host call for each leg, and nothing else that could block.

mod chain;
mod core;
mod counters;
mod device;
mod events;
mod handle;
mod msi;
mod poll;
mod ram;
mod ring;
#[cfg(any(test, feature = "testkit"))]
mod testing;
mod worker;

pub use counters::{RequestCount, RequestCounters};
pub use device::{Viommu, ViommuConfig, ViommuEndpoint, ViommuError, ViommuHandle, ViommuReport};
pub use events::FaultSink;
pub use poll::PollMode;

use core::Core;

#[cfg(test)]
mod tests;
