//! Why a mixed domain refused: the kernel's error number, and next to it a reason that a program can act on.

use data_model::Span;
use thiserror::Error;

use super::{DeviceId, Errno, ResvRegion};

/// A refusal. Unless the reason is [`Reason::Bisects`] with bytes removed, nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("{errno}: {reason}")]
pub struct Failure {
    /// What the modelled kernel answers.
    pub errno: Errno,
    /// What stands in the way.
    pub reason: Reason,
}

/// What stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Reason {
    /// A flag that nobody knows.
    #[error("flags {0:#x} are unknown")]
    UnknownFlag(u32),
    /// A length of 0 bytes.
    #[error("the range is empty")]
    Empty,
    /// Neither read nor write.
    #[error("the mapping would permit nothing")]
    NoPermission,
    /// Not a multiple of the granule.
    #[error("{value:#x} is not a multiple of {granule:#x}")]
    Misaligned {
        /// IOVA, length, offset or address, in bytes.
        value: u64,
        /// Alignment needed, in bytes.
        granule: u64,
    },
    /// The range would go on past the last address.
    #[error("{len:#x} bytes from {start:#x} leave the address space")]
    Wraps {
        /// First address.
        start: u64,
        /// Bytes.
        len: u64,
    },
    /// Not inside what the IOMMU can address.
    #[error("{span} is not inside the aperture {aperture}")]
    OutsideAperture {
        /// What was asked for.
        span: Span,
        /// What can be addressed.
        aperture: Span,
    },
    /// In a reserved region.
    #[error("a region is reserved there: {0}")]
    Reserved(ResvRegion),
    /// In the window that is kept for doorbells.
    #[error("the window {0} is kept for doorbells")]
    Window(Span),
    /// Over a slot of the user's.
    #[error("{0} is mapped")]
    Slot(Span),
    /// Over a live doorbell page.
    #[error("a doorbell page is at {iova:#x}")]
    MsiPage {
        /// Where the page is.
        iova: u64,
    },
    /// No more slots.
    #[error("no more than {0} mappings")]
    TooManySlots(u32),
    /// More memory locked than allowed.
    #[error("more than {0:#x} bytes of locked memory")]
    LockLimit(u64),
    /// Nothing, or nothing writable, is at the target.
    #[error("no memory at {0:#x} of the target")]
    NoMemory(u64),
    /// The range covers a part of a slot only.
    #[error("the range would split the mapping {slot} ({removed:#x} bytes below it are gone)")]
    Bisects {
        /// The slot that it cuts.
        slot: Span,
        /// Bytes that are unmapped all the same: iommufd stops half-way.
        removed: u64,
    },
    /// Nothing is mapped there.
    #[error("nothing is mapped there")]
    NothingMapped,
    /// A range given together with "all".
    #[error("a range and everything were asked for at once")]
    RangeWithAll,
    /// The device is attached here already.
    #[error("device {0} is attached")]
    Attached(DeviceId),
    /// The device is not attached here.
    #[error("device {0} is not attached")]
    NotAttached(DeviceId),
    /// A device could write any interrupt of the host.
    #[error("interrupts are not isolated")]
    NotIsolated,
    /// The device's doorbell was never prepared.
    #[error("no page was prepared for the doorbell {0:#x}")]
    NotPrepared(u64),
    /// No room for a doorbell page at or below this address.
    #[error("no room for a doorbell page up to {0:#x}")]
    NoHole(u64),
    /// The window is full, or its next page lies past its end.
    #[error("no room for a doorbell page in the window {0}")]
    WindowFull(Span),
    /// All entries of the table that the domains of a context share are taken.
    #[error("the context has {0} doorbells, no more fit")]
    ContextFull(usize),
    /// The doorbell's page lies where the device cannot write.
    #[error("the doorbell page at {iova:#x} is above the device's mask {mask:#x}")]
    AboveMask {
        /// Where the page is.
        iova: u64,
        /// Last address that the device reaches.
        mask: u64,
    },
    /// Devices were or are attached: the window stands.
    #[error("the window stands since the first device or its publication")]
    WindowStands,
    /// Not aligned, smaller than a page, at address 0, or outside the aperture.
    #[error("{0} cannot be a window for doorbells")]
    BadWindow(Span),
    /// This personality or policy has no such operation.
    #[error("not offered here")]
    NotOffered,
    /// Two domains with different page sizes for doorbells.
    #[error("doorbell pages are {0:#x} bytes here and {1:#x} there")]
    PageSize(u64, u64),
}

/// The kinds of refusal that a caller answers differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Bounds or alignment of a range.
    Range,
    /// A request that can never be right.
    Invalid,
    /// No such thing.
    Missing,
    /// Out of memory, of mappings or of holes.
    Exhausted,
    /// No memory at the target.
    Fault,
    /// A device and a domain do not fit together.
    Unsupported,
}

impl Failure {
    pub(super) const fn new(errno: Errno, reason: Reason) -> Failure {
        Failure { errno, reason }
    }

    /// How to answer; the same for every personality, whatever its error numbers.
    pub fn kind(&self) -> Kind {
        match self.reason {
            Reason::Misaligned { .. }
            | Reason::Wraps { .. }
            | Reason::OutsideAperture { .. }
            | Reason::Bisects { .. }
            | Reason::Empty => Kind::Range,
            Reason::NotAttached(_) | Reason::NotPrepared(_) | Reason::NothingMapped => Kind::Missing,
            Reason::TooManySlots(_)
            | Reason::LockLimit(_)
            | Reason::NoHole(_)
            | Reason::WindowFull(_)
            | Reason::ContextFull(_) => Kind::Exhausted,
            Reason::NoMemory(_) => Kind::Fault,
            Reason::NotIsolated
            | Reason::NotOffered
            | Reason::AboveMask { .. }
            | Reason::PageSize(..)
            | Reason::WindowStands => Kind::Unsupported,
            _ if self.errno == Errno::AddrInUse => Kind::Unsupported,
            _ => Kind::Invalid,
        }
    }
}
