//! The descriptors of one chain, in the ring's table.
//!
//! Each is read once. Invariant: a walk ends. A chain that loops, leaves its table, or is longer than 2^32 bytes ends early; what is
//! missing then shows as a part that is too small. So does a chain that goes on in a table of its own: such tables are not offered,
//! because Linux would allocate and free one for each request.

use std::sync::atomic::{AtomicU64, Ordering};

use virtio_bindings::bindings::virtio_ring::{VRING_DESC_F_INDIRECT, VRING_DESC_F_NEXT, VRING_DESC_F_WRITE};
use vm_memory::{GuestAddress, VolatileSlice};

use super::{DESCRIPTOR, part};

/// One piece of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Descriptor {
    /// Where it lies, for the driver.
    pub(in super::super) address: GuestAddress,
    /// Bytes.
    pub(in super::super) len: u32,
    flags: u16,
    next: u16,
}

/// A walk along a chain.
pub(in super::super) struct Descriptors<'m> {
    table: VolatileSlice<'m>,
    /// Entries of the table.
    entries: u16,
    next: u16,
    /// Descriptors that may still come: a chain has no more than its table.
    left: u16,
    bytes: u32,
}

impl Descriptor {
    /// Whether the device writes it.
    #[inline]
    pub(in super::super) fn is_writable(&self) -> bool {
        self.has(VRING_DESC_F_WRITE)
    }

    #[inline]
    fn has(&self, flag: u32) -> bool {
        u32::from(self.flags) & flag != 0
    }

    /// Of the two halves in which it is read.
    #[inline]
    fn of(low: u64, high: u64) -> Descriptor {
        let (low, high) = (u64::from_le(low), u64::from_le(high));
        Descriptor {
            address: GuestAddress(low),
            len: high as u32,
            flags: (high >> 32) as u16,
            next: (high >> 48) as u16,
        }
    }
}

impl<'m> Descriptors<'m> {
    /// The chain that begins at `head` of a table with so many entries.
    pub(super) fn new(table: VolatileSlice<'m>, entries: u16, head: u16) -> Descriptors<'m> {
        Descriptors { table, entries, next: head, left: entries, bytes: 0 }
    }

    #[inline]
    fn read(&self) -> Option<Descriptor> {
        let at = DESCRIPTOR * usize::from(self.next);
        let half = |at| Some(part::<AtomicU64>(&self.table, at)?.load(Ordering::Relaxed));
        Some(Descriptor::of(half(at)?, half(at + 8)?))
    }
}

impl Iterator for Descriptors<'_> {
    type Item = Descriptor;

    #[inline]
    fn next(&mut self) -> Option<Descriptor> {
        if self.left == 0 || self.next >= self.entries {
            return None;
        }
        let descriptor = self.read().filter(|it| !it.has(VRING_DESC_F_INDIRECT))?;
        self.bytes = self.bytes.checked_add(descriptor.len)?;
        self.left = if descriptor.has(VRING_DESC_F_NEXT) { self.left - 1 } else { 0 };
        self.next = descriptor.next;
        Some(descriptor)
    }
}
