//! Requests: the device-readable part, parsed and encoded.
//!
//! [`decode`] looks at layout only; whether values make sense is for the device to say.

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Size of the head every request starts with, in bytes.
pub const HEAD_SIZE: usize = 4;
/// Readable size of ATTACH in bytes.
pub const ATTACH_SIZE: usize = 20;
/// Readable size of DETACH in bytes.
pub const DETACH_SIZE: usize = 20;
/// Readable size of MAP in bytes.
pub const MAP_SIZE: usize = 36;
/// Readable size of UNMAP in bytes.
pub const UNMAP_SIZE: usize = 28;
/// Readable size of PROBE in bytes.
pub const PROBE_SIZE: usize = 72;
/// No readable part is larger: as much as a device needs to copy.
pub const MAX_REQUEST_SIZE: usize = PROBE_SIZE;

/// ATTACH flag: the domain lets its endpoints bypass translation.
pub const ATTACH_F_BYPASS: u32 = 1 << 0;
/// MAP flag: endpoints may read.
pub const MAP_F_READ: u32 = 1 << 0;
/// MAP flag: endpoints may write.
pub const MAP_F_WRITE: u32 = 1 << 1;
/// MAP flag: the target is device memory; only with the feature MMIO.
pub const MAP_F_MMIO: u32 = 1 << 2;

/// A request by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum RequestKind {
    /// Put an endpoint into a domain.
    Attach = 1,
    /// Take an endpoint out of a domain.
    Detach = 2,
    /// Add a mapping to a domain.
    Map = 3,
    /// Remove mappings from a domain.
    Unmap = 4,
    /// Ask for the properties of an endpoint.
    Probe = 5,
}

impl RequestKind {
    /// Every kind, in the order of its number.
    pub const ALL: [RequestKind; 5] =
        [RequestKind::Attach, RequestKind::Detach, RequestKind::Map, RequestKind::Unmap, RequestKind::Probe];

    /// Name in lower case, `attach`.
    pub const fn name(self) -> &'static str {
        match self {
            RequestKind::Attach => "attach",
            RequestKind::Detach => "detach",
            RequestKind::Map => "map",
            RequestKind::Unmap => "unmap",
            RequestKind::Probe => "probe",
        }
    }

    /// Readable size in bytes.
    pub const fn size(self) -> usize {
        match self {
            RequestKind::Attach => ATTACH_SIZE,
            RequestKind::Detach => DETACH_SIZE,
            RequestKind::Map => MAP_SIZE,
            RequestKind::Unmap => UNMAP_SIZE,
            RequestKind::Probe => PROBE_SIZE,
        }
    }
}

/// A request; values as the driver sent them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Put `endpoint` into `domain`.
    Attach {
        /// Domain id.
        domain: u32,
        /// Endpoint id.
        endpoint: u32,
        /// [`ATTACH_F_BYPASS`] or bits that nobody defined.
        flags: u32,
        /// Must be zero (A1).
        reserved: u32,
    },
    /// Take `endpoint` out of `domain`; the reserved field is to be ignored (D1).
    Detach {
        /// Domain id.
        domain: u32,
        /// Endpoint id.
        endpoint: u32,
    },
    /// Map `virt_start..=virt_end` of `domain` to guest-physical memory from `phys_start` on.
    Map {
        /// Domain id.
        domain: u32,
        /// First IOVA.
        virt_start: u64,
        /// Last IOVA.
        virt_end: u64,
        /// Guest-physical address of the first byte.
        phys_start: u64,
        /// [`MAP_F_READ`], [`MAP_F_WRITE`], [`MAP_F_MMIO`] or bits that nobody defined.
        flags: u32,
    },
    /// Remove what `domain` maps in `virt_start..=virt_end`.
    Unmap {
        /// Domain id.
        domain: u32,
        /// First IOVA.
        virt_start: u64,
        /// Last IOVA.
        virt_end: u64,
        /// Should be zero (U1).
        reserved: u32,
    },
    /// Ask for the properties of `endpoint`; the reserved field is to be ignored (P1).
    Probe {
        /// Endpoint id.
        endpoint: u32,
    },
}

impl Request {
    /// The kind of the request.
    pub const fn kind(&self) -> RequestKind {
        match self {
            Request::Attach { .. } => RequestKind::Attach,
            Request::Detach { .. } => RequestKind::Detach,
            Request::Map { .. } => RequestKind::Map,
            Request::Unmap { .. } => RequestKind::Unmap,
            Request::Probe { .. } => RequestKind::Probe,
        }
    }
}

/// Why bytes are no request. To each the device answers with nothing written and a used length of 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Not even a head, or shorter than its type needs (G5).
    Short,
    /// A type that the specification does not name (G2).
    UnknownType(u8),
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct AttachWire {
    head: [u8; 4],
    domain: U32,
    endpoint: U32,
    flags: U32,
    reserved: U32,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct MapWire {
    head: [u8; 4],
    domain: U32,
    virt_start: U64,
    virt_end: U64,
    phys_start: U64,
    flags: U32,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct UnmapWire {
    head: [u8; 4],
    domain: U32,
    virt_start: U64,
    virt_end: U64,
    reserved: U32,
}

const _: () = assert!(size_of::<AttachWire>() == ATTACH_SIZE && ATTACH_SIZE == DETACH_SIZE);
const _: () = assert!(size_of::<MapWire>() == MAP_SIZE);
const _: () = assert!(size_of::<UnmapWire>() == UNMAP_SIZE);

/// Parses the readable part of a request. Bytes beyond the request's size are ignored, as is `head.reserved` (G3).
pub fn decode(bytes: &[u8]) -> Result<Request, DecodeError> {
    if bytes.len() < HEAD_SIZE {
        return Err(DecodeError::Short);
    }
    let number = bytes[0];
    let kind = RequestKind::ALL.into_iter().find(|kind| *kind as u8 == number);
    match kind.ok_or(DecodeError::UnknownType(number))? {
        RequestKind::Attach => read::<AttachWire>(bytes).map(|wire| Request::Attach {
            domain: wire.domain.get(),
            endpoint: wire.endpoint.get(),
            flags: wire.flags.get(),
            reserved: wire.reserved.get(),
        }),
        RequestKind::Detach => read::<AttachWire>(bytes)
            .map(|wire| Request::Detach { domain: wire.domain.get(), endpoint: wire.endpoint.get() }),
        RequestKind::Map => read::<MapWire>(bytes).map(|wire| Request::Map {
            domain: wire.domain.get(),
            virt_start: wire.virt_start.get(),
            virt_end: wire.virt_end.get(),
            phys_start: wire.phys_start.get(),
            flags: wire.flags.get(),
        }),
        RequestKind::Unmap => read::<UnmapWire>(bytes).map(|wire| Request::Unmap {
            domain: wire.domain.get(),
            virt_start: wire.virt_start.get(),
            virt_end: wire.virt_end.get(),
            reserved: wire.reserved.get(),
        }),
        RequestKind::Probe if bytes.len() < PROBE_SIZE => Err(DecodeError::Short),
        RequestKind::Probe => {
            Ok(Request::Probe { endpoint: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]) })
        }
    }
}

fn read<T: FromBytes + KnownLayout + Immutable>(bytes: &[u8]) -> Result<T, DecodeError> {
    T::read_from_prefix(bytes).map(|(wire, _)| wire).map_err(|_| DecodeError::Short)
}

/// Writes the readable part of `request` and returns its size in bytes; what a driver does.
pub fn encode(request: &Request, out: &mut [u8; MAX_REQUEST_SIZE]) -> usize {
    let kind = request.kind();
    let head = [kind as u8, 0, 0, 0];
    out.fill(0);
    match *request {
        Request::Attach { domain, endpoint, flags, reserved } => put(
            out,
            &AttachWire {
                head,
                domain: domain.into(),
                endpoint: endpoint.into(),
                flags: flags.into(),
                reserved: reserved.into(),
            },
        ),
        Request::Detach { domain, endpoint } => put(
            out,
            &AttachWire {
                head,
                domain: domain.into(),
                endpoint: endpoint.into(),
                flags: 0.into(),
                reserved: 0.into(),
            },
        ),
        Request::Map { domain, virt_start, virt_end, phys_start, flags } => put(
            out,
            &MapWire {
                head,
                domain: domain.into(),
                virt_start: virt_start.into(),
                virt_end: virt_end.into(),
                phys_start: phys_start.into(),
                flags: flags.into(),
            },
        ),
        Request::Unmap { domain, virt_start, virt_end, reserved } => put(
            out,
            &UnmapWire {
                head,
                domain: domain.into(),
                virt_start: virt_start.into(),
                virt_end: virt_end.into(),
                reserved: reserved.into(),
            },
        ),
        Request::Probe { endpoint } => {
            out[..4].copy_from_slice(&head);
            out[4..8].copy_from_slice(&endpoint.to_le_bytes());
        }
    }
    kind.size()
}

fn put<T: IntoBytes + Immutable>(out: &mut [u8; MAX_REQUEST_SIZE], wire: &T) {
    let bytes = wire.as_bytes();
    out[..bytes.len()].copy_from_slice(bytes);
}

#[cfg(test)]
mod tests;
