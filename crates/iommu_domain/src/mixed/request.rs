//! What users ask of a domain, as they ask it: numbers that nobody has checked yet.

use data_model::Span;

use crate::Perm;

/// What a slot leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Memory of the user's.
    Ram {
        /// Which piece.
        backing: u32,
        /// Bytes into it.
        offset: u64,
    },
    /// Registers of a device.
    Mmio {
        /// Physical address.
        phys: u64,
    },
}

impl Target {
    /// Offset or address of the first byte.
    pub fn start(self) -> u64 {
        match self {
            Target::Ram { offset, .. } => offset,
            Target::Mmio { phys } => phys,
        }
    }

    /// What lies `bytes` further on; saturates, and a checked slot never gets there.
    pub(super) fn advanced(self, bytes: u64) -> Target {
        match self {
            Target::Ram { backing, offset } => Target::Ram { backing, offset: offset.saturating_add(bytes) },
            Target::Mmio { phys } => Target::Mmio { phys: phys.saturating_add(bytes) },
        }
    }
}

/// Adds a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MapRequest {
    /// First address.
    pub iova: u64,
    /// Bytes.
    pub len: u64,
    /// Where it leads.
    pub target: Target,
    /// What devices may do.
    pub perm: Perm,
    /// Flags beyond read and write. There are none: each is unknown.
    pub flags: u32,
    /// The user's own mark; it means nothing here.
    pub tag: u64,
}

impl MapRequest {
    /// A request without flags and mark.
    pub fn new(iova: u64, len: u64, target: Target, perm: Perm) -> MapRequest {
        MapRequest { iova, len, target, perm, flags: 0, tag: 0 }
    }

    /// The range, where there is one.
    pub fn span(&self) -> Option<Span> {
        Span::from_len(self.iova, self.len)
    }
}

/// Removes slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnmapRequest {
    /// First address.
    pub iova: u64,
    /// Bytes.
    pub len: u64,
    /// Everything; `iova` and `len` must be 0. The interface of IOAS has no such flag, only the range (0, 2^64 - 1).
    pub all: bool,
    /// Flags beyond that. There are none: each is unknown.
    pub flags: u32,
}

impl UnmapRequest {
    /// A range.
    pub fn range(iova: u64, len: u64) -> UnmapRequest {
        UnmapRequest { iova, len, all: false, flags: 0 }
    }

    /// Everything.
    pub fn all() -> UnmapRequest {
        UnmapRequest { iova: 0, len: 0, all: true, flags: 0 }
    }
}
