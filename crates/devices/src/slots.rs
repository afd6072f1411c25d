//! What a device asks of the machine's memory map: direct mappings for its BARs, and doorbells that wake a worker.

use std::io;
use std::sync::Arc;

use base::{EventFd, MappedRegion};
use data_model::Span;

/// A part of a mapping that the guest may use without an exit.
#[derive(Clone, Debug)]
pub struct DirectMapping {
    /// Guest-physical range; page-aligned.
    pub span: Span,
    /// The host mapping behind it.
    pub region: Arc<MappedRegion>,
    /// Where in `region` the range starts, in bytes.
    pub offset: u64,
}

/// A mapping placed in the guest; take it out again with [`MemoryMapper::unmap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlotId(pub u32);

/// Places device memory in the guest's address space, and makes it a possible target of DMA (peer to peer).
pub trait MemoryMapper: Send + Sync {
    /// Makes the guest see `mapping`.
    fn map(&self, mapping: DirectMapping) -> io::Result<SlotId>;

    /// Takes it out again.
    fn unmap(&self, slot: SlotId) -> io::Result<()>;
}

/// Turns guest writes to an address into events, without an exit to user space (ioeventfd).
pub trait Doorbells: Send + Sync {
    /// A write of any size and value to the guest-physical address `gpa` writes `event`.
    fn bind(&self, gpa: u64, event: &EventFd) -> io::Result<()>;

    /// Undoes [`Doorbells::bind`].
    fn unbind(&self, gpa: u64, event: &EventFd) -> io::Result<()>;
}
