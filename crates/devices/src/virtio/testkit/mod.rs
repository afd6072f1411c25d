//! The driver's side of virtio, and fakes of the machine, for tests and fuzzers. Never part of a product build.
//!
//! ```text
//! let ram = testkit::ram(1 << 20);
//! let mut bench = Bench::new(ram, &device, VIRTIO_F_EVENT_IDX);      // a ring for each of the device's queues
//! device.activate(bench.activation())?;
//! let reply = bench.queues[0].request(&request_bytes, 4);             // publish, kick, wait
//! assert_eq!(reply.unwrap().bytes, [0, 0, 0, 0]);
//! // Malformed chains: `queue.raw(index, RawDesc {..})`, then `queue.publish(head)`, `queue.kick()`,
//! // `bench.interrupt.wait_needs_reset(SECOND)`.
//! ```
#![allow(clippy::expect_used, reason = "what the kit cannot do, the test that uses it did wrong")]

mod behind;
mod bench;
mod driver;
mod fakes;
mod layout;

pub use behind::Behind;
pub use bench::{Bench, SECOND, ram};
pub use driver::{ChainBuilder, DriverQueue, Reply, Sent, Used};
pub use fakes::{FakeDoorbells, FakeInterrupt, FakeLine, FakeMapper, FakeMsiController, FakeVector, until};
pub use layout::{RawDesc, RingLayout};

#[cfg(test)]
mod tests;
