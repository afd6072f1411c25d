//! The rows of docs/src/conformance.md, one test each, through the queue and the device.

mod attach;
mod bypass;
mod detach;
mod faults;
mod features;
mod general;
mod layouts;
mod map;
mod probe;
mod qtest;
mod transport;
mod unmap;
