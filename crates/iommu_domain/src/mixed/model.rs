//! Traces of requests that a model and a host can both be asked, to compare their answers.
//!
//! [`Type1Model`] answers from a [`MixedDomain`]; [`HostTrace`] asks a [`DmaHost`], fake or real.

use std::collections::BTreeMap;
use std::io;

use base::HostMemory;
use data_model::Span;

use super::{
    Backing, Config, ConfigError, Device, Errno, Failure, MapRequest, MixedDomain, Target, Type1Kernel,
    UnmapRequest,
};
use crate::{DmaHost, Perm};

/// One request of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceOp {
    /// Maps memory of the trace's one piece.
    Map {
        /// First address.
        iova: u64,
        /// Bytes.
        size: u64,
        /// Bytes into the memory.
        va_offset: u64,
        /// What devices may do.
        perm: Perm,
    },
    /// Unmaps a range.
    Unmap {
        /// First address.
        iova: u64,
        /// Bytes.
        size: u64,
    },
    /// Unmaps everything.
    UnmapAll,
    /// A map in numbers that nobody has checked.
    MapAsTold(MapRequest),
    /// An unmap in numbers that nobody has checked.
    UnmapAsTold(UnmapRequest),
}

/// Something that a trace can be played to.
pub trait Traced {
    /// Whether the request can be put into this interface's words. Where ranges are [`Span`]s, an empty one cannot.
    fn can_ask(&self, op: &TraceOp) -> bool;

    /// Answers a request: bytes unmapped, 0 for a MAP.
    fn apply(&mut self, op: &TraceOp) -> Result<u64, Errno>;
}

impl Traced for MixedDomain {
    fn can_ask(&self, _: &TraceOp) -> bool {
        true
    }

    fn apply(&mut self, op: &TraceOp) -> Result<u64, Errno> {
        let answer = match *op {
            TraceOp::Map { iova, size, va_offset, perm } => {
                let target = Target::Ram { backing: 0, offset: va_offset };
                self.map(MapRequest::new(iova, size, target, perm)).map(|()| 0)
            }
            TraceOp::Unmap { iova, size } => self.unmap(UnmapRequest::range(iova, size)),
            TraceOp::UnmapAll => Ok(self.unmap_all()),
            TraceOp::MapAsTold(request) => self.map(request).map(|()| 0),
            TraceOp::UnmapAsTold(request) => self.unmap(request),
        };
        answer.map_err(|failure: Failure| failure.errno)
    }
}

/// A type1 container in numbers: what its GET_INFO says, and the memory that a trace maps from.
#[derive(Clone, Debug)]
pub struct Type1Model {
    /// Smallest page in bytes.
    pub granule: u64,
    /// Ranges that may be mapped, by rising IOVA (the IOVA_RANGE capability).
    pub allowed: Vec<Span>,
    /// Mappings at most (DMA_AVAIL of an empty container).
    pub entries: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes that may be locked; `None` for CAP_IPC_LOCK.
    pub lock_limit: Option<u64>,
}

impl Type1Model {
    /// The domain that should answer as that container does, one device attached. What lies between the allowed ranges
    /// is reserved.
    pub fn domain(&self, kernel: Type1Kernel) -> Result<MixedDomain, ConfigError> {
        let ends = self.allowed.first().zip(self.allowed.last());
        let aperture = ends.and_then(|(first, last)| Span::new(first.start(), last.last()));
        let aperture = aperture.unwrap_or(Span::ALL);
        let free = |holes, span: &Span| super::domain::subtract(&Vec::from_iter(holes), *span);
        let holes = self.allowed.iter().fold(vec![aperture], free);
        let config = Config {
            granule: self.granule,
            msi_page: self.granule,
            policy: super::MsiPolicy::None,
            resv: holes.into_iter().map(|hole| (hole, super::ResvKind::Reserved)).collect(),
            max_slots: Some(self.entries),
            backings: Some(BTreeMap::from([(0, Backing { len: self.memory, writable: true })])),
            lock_limit: self.lock_limit,
            loses_the_end: kernel != Type1Kernel::V7_3,
            ..Config::type1(aperture, kernel)
        };
        let mut domain = MixedDomain::new(config)?;
        // An isolated device that brings nothing along fits every empty domain.
        drop(domain.attach(Device::new(0)));
        Ok(domain)
    }
}

/// A container that a trace is played to, and the memory it maps.
pub struct HostTrace<H> {
    host: H,
    memory: HostMemory,
}

impl<H: DmaHost> HostTrace<H> {
    /// The container must be empty, and nobody else may use it meanwhile.
    pub fn new(host: H, memory: HostMemory) -> HostTrace<H> {
        HostTrace { host, memory }
    }
}

impl<H: DmaHost> Traced for HostTrace<H> {
    fn can_ask(&self, op: &TraceOp) -> bool {
        match *op {
            TraceOp::Map { iova, size, va_offset, .. } => {
                Span::from_len(iova, size).is_some() && self.memory.slice(va_offset, size).is_some()
            }
            TraceOp::Unmap { iova, size } => Span::from_len(iova, size).is_some(),
            TraceOp::UnmapAll => true,
            TraceOp::MapAsTold(_) | TraceOp::UnmapAsTold(_) => false,
        }
    }

    fn apply(&mut self, op: &TraceOp) -> Result<u64, Errno> {
        let answer = match *op {
            TraceOp::Map { iova, size, va_offset, perm } => {
                let span = Span::from_len(iova, size).zip(self.memory.slice(va_offset, size));
                let (span, slice) = span.ok_or(Errno::Io)?;
                self.host.map(span, slice, perm).map(|()| 0)
            }
            TraceOp::Unmap { iova, size } => self.host.unmap(Span::from_len(iova, size).ok_or(Errno::Io)?),
            TraceOp::UnmapAll => self.host.unmap_all(),
            TraceOp::MapAsTold(_) | TraceOp::UnmapAsTold(_) => return Err(Errno::Io),
        };
        answer.map_err(|error: io::Error| Errno::from_code(error.raw_os_error().unwrap_or_default()))
    }
}
