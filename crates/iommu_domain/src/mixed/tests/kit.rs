//! Short words for tests.

use data_model::Span;

use super::super::*;
use crate::Perm;

pub const PAGE: u64 = 0x1000;
pub const MIB: u64 = 1 << 20;
pub const GIB4: u64 = 1 << 32;
/// A GICv3 ITS doorbell.
pub const DOORBELL: u64 = 0x0809_0040;
/// Another.
pub const DOORBELL2: u64 = 0x0909_0040;

pub fn span(start: u64, last: u64) -> Span {
    Span::new(start, last).unwrap()
}

pub fn of(start: u64, len: u64) -> Span {
    Span::from_len(start, len).unwrap()
}

/// The first 4 GiB.
pub fn low() -> Span {
    of(0, GIB4)
}

pub fn linux_window() -> Span {
    LINUX_WINDOW.unwrap()
}

/// The letter's domain over 4 GiB, with one device.
pub fn seed() -> MixedDomain {
    with_device(Config::seed(low()))
}

pub fn with_device(config: Config) -> MixedDomain {
    let mut domain = MixedDomain::new(config).unwrap();
    domain.attach(Device::new(1)).unwrap();
    domain
}

/// Memory that lies where it is mapped.
pub fn request(iova: u64, len: u64) -> MapRequest {
    let target = Target::Ram { backing: 0, offset: iova };
    MapRequest::new(iova, len, target, Perm::READ_WRITE)
}

pub fn map(domain: &mut MixedDomain, iova: u64, len: u64) -> Result<(), Failure> {
    domain.map(request(iova, len))
}

pub fn unmap(domain: &mut MixedDomain, iova: u64, len: u64) -> Result<u64, Failure> {
    domain.unmap(UnmapRequest::range(iova, len))
}

pub fn errno<T: std::fmt::Debug>(outcome: Result<T, Failure>) -> Errno {
    outcome.unwrap_err().errno
}

pub fn message(address: u64) -> Message {
    Message { address, data: 0x2a }
}

/// A device that reaches 32 bits only.
pub fn narrow(id: DeviceId) -> Device {
    Device { dma_mask: 0xffff_ffff, ..Device::new(id) }
}

/// A device that brings a region along.
pub fn bringing(id: DeviceId, span: Span, kind: ResvKind) -> Device {
    Device { resv: vec![(span, kind)], ..Device::new(id) }
}
