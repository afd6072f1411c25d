//! The wire format of the virtio-iommu device (virtio 1.4, "IOMMU device"): types, parse and encode, nothing else.
//!
//! No algorithm, no state, no allocation. Guest bytes are parsed from a slice that was copied out of guest memory
//! once; both directions are here so that a driver, a test or a fuzzer can speak the format too.
#![no_std]
#![forbid(unsafe_code)]

mod config;
mod fault;
mod features;
mod property;
mod request;
mod status;

pub use config::{CONFIG_BYPASS_OFFSET, CONFIG_SIZE, Config};
pub use fault::{FAULT_SIZE, Fault, FaultFlags, FaultReason};
pub use features::Features;
pub use property::{Properties, Property, PropertyOverflow, RESV_MEM_SIZE, ResvKind, ResvMem, properties};
pub use request::{
    ATTACH_F_BYPASS, ATTACH_SIZE, DETACH_SIZE, DecodeError, HEAD_SIZE, MAP_F_MMIO, MAP_F_READ, MAP_F_WRITE,
    MAP_SIZE, MAX_REQUEST_SIZE, PROBE_SIZE, Request, RequestKind, UNMAP_SIZE, decode, encode,
};
pub use status::{Status, TAIL_SIZE, tail};

/// Virtio device id.
pub const DEVICE_ID: u16 = 23;
/// Index of the queue that carries requests.
pub const REQUEST_QUEUE: usize = 0;
/// Index of the queue that carries fault reports.
pub const EVENT_QUEUE: usize = 1;
