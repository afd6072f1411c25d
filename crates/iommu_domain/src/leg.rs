//! A leg: what mirrors a table into the thing behind an endpoint.
//!
//! A leg holds what it was last told, or after an error what it held before. It never decides anything: which
//! mappings belong there, undo and quarantine are the [`Iommu`](crate::Iommu)'s.

mod soft;
mod type1;
mod vfio;

use std::io;
use std::time::Duration;

use base::{CallId, HostSlice};
use data_model::Span;

pub use soft::{SoftLeg, SoftTable, SoftUse};
pub use type1::Type1Leg;
pub use vfio::{ResetDevices, VfioHost};

use crate::{Backing, Perm};

/// A call that failed; the leg holds what it held before.
#[derive(Debug)]
pub struct LegError {
    /// Which call.
    pub call: CallId,
    /// The kernel's answer.
    pub source: io::Error,
}

/// Mirrors mappings. One leg serves all endpoints of a host group.
pub trait Leg: Send {
    /// Name for people, `type1 group 3`.
    fn name(&self) -> &str;

    /// Adds a mapping of `iova` to what lies `offset` bytes into `backing`. A target that the leg cannot or need not
    /// mirror (a doorbell, a permission of nothing) is accepted and left out.
    fn map(&mut self, iova: Span, backing: &Backing, offset: u64, perm: Perm) -> Result<(), LegError>;

    /// Removes the mappings inside `extent`, which starts and ends on mappings; holes are fine. `bytes` of it are mirrored at
    /// least: a host that says it removed less has failed.
    fn unmap(&mut self, extent: Span, bytes: u64) -> Result<(), LegError>;

    /// Removes every mapping: the devices behind the leg reach nothing. Here too a host that says it removed less than it was
    /// given has failed.
    fn clear(&mut self) -> Result<(), LegError>;

    /// Resets the devices behind the leg, so that they issue no DMA until their driver starts them again.
    fn block(&mut self) -> Result<(), LegError>;

    /// Mappings that the host counts, where it tells.
    fn host_mappings(&self) -> Option<u64>;

    /// Whether guest RAM that it holds is pinned for it.
    fn pins(&self) -> bool {
        true
    }

    /// Time spent in system calls so far; zero where nobody measures.
    fn host_time(&self) -> Duration {
        Duration::ZERO
    }
}

/// Whether a leg mirrors a mapping of this kind: a doorbell is no memory (no interrupt of an assigned device takes that way),
/// and a mapping that permits nothing has no likeness in the kernel, where its absence says the same.
pub(crate) fn is_mirrored(backing: &Backing, perm: Perm) -> bool {
    matches!(backing, Backing::Memory(_)) && perm != Perm::NONE
}

/// The calls of a VFIO container that a [`Type1Leg`] makes; a trait so that a fake kernel can answer them.
pub trait DmaHost: Send {
    /// `VFIO_IOMMU_MAP_DMA`; `iova` and `memory` have one length.
    fn map(&self, iova: Span, memory: HostSlice<'_>, perm: Perm) -> io::Result<()>;

    /// `VFIO_IOMMU_UNMAP_DMA`: bytes removed, 0 for a hole.
    fn unmap(&self, iova: Span) -> io::Result<u64>;

    /// The same for everything.
    fn unmap_all(&self) -> io::Result<u64>;

    /// Mappings that may still be added (DMA_AVAIL).
    fn available(&self) -> Option<u32>;

    /// `VFIO_DEVICE_RESET` on each device of the group.
    fn reset_devices(&self) -> io::Result<()>;

    /// Time spent in these calls so far; zero where nobody measures.
    fn time(&self) -> Duration {
        Duration::ZERO
    }
}
