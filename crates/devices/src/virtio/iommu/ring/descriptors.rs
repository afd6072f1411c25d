//! The descriptors of one chain, in the ring's table or in an indirect one anywhere in guest RAM.
//!
//! Each is read once. Invariant: a walk ends. A chain that loops, leaves its table, has a table in a table, or is longer than 2^32
//! bytes ends early; what is missing then shows as a part that is too small.

use std::sync::atomic::Ordering;

use base::GuestMem;
use virtio_bindings::bindings::virtio_ring::{VRING_DESC_F_INDIRECT, VRING_DESC_F_NEXT, VRING_DESC_F_WRITE};
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, VolatileSlice};

use super::DESCRIPTOR;

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
    mem: &'m GuestMem,
    table: Table<'m>,
    /// Entries of the table.
    entries: u16,
    next: u16,
    /// Descriptors that may still come: a chain has no more than its table.
    left: u16,
    bytes: u32,
    in_indirect: bool,
}

/// Where descriptors are read.
enum Table<'m> {
    /// In one piece of guest RAM, aligned.
    Direct(VolatileSlice<'m>),
    /// An indirect one that is not: each entry is looked up.
    Anywhere(GuestAddress),
}

impl Descriptor {
    /// Whether the device writes it.
    pub(in super::super) fn is_writable(&self) -> bool {
        self.has(VRING_DESC_F_WRITE)
    }

    fn has(&self, flag: u32) -> bool {
        u32::from(self.flags) & flag != 0
    }

    /// Of the two halves in which it is read.
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
    /// The chain that begins at `head` of the ring's table.
    pub(super) fn new(mem: &'m GuestMem, table: (VolatileSlice<'m>, u16), head: u16) -> Descriptors<'m> {
        let (table, entries) = (Table::Direct(table.0), table.1);
        Descriptors { mem, table, entries, next: head, left: entries, bytes: 0, in_indirect: false }
    }

    /// Goes on in the indirect table that `descriptor` names. It need not be aligned.
    fn enter(&mut self, descriptor: &Descriptor) -> Option<()> {
        let len = descriptor.len as usize;
        if self.in_indirect || !len.is_multiple_of(DESCRIPTOR) {
            return None;
        }
        self.entries = u16::try_from(len / DESCRIPTOR).ok()?;
        (self.next, self.left, self.in_indirect) = (0, self.entries, true);
        self.table = match self.mem.get_slice(descriptor.address, len) {
            Ok(slice) if descriptor.address.0.is_multiple_of(8) => Table::Direct(slice),
            _ => Table::Anywhere(descriptor.address),
        };
        Some(())
    }

    fn read(&self) -> Option<Descriptor> {
        let at = DESCRIPTOR * usize::from(self.next);
        match &self.table {
            Table::Direct(table) => {
                let half = |at| table.load(at, Ordering::Relaxed).ok();
                Some(Descriptor::of(half(at)?, half(at + 8)?))
            }
            Table::Anywhere(address) => {
                let address = address.0.checked_add(at as u64)?;
                let halves: [u64; 2] = self.mem.read_obj(GuestAddress(address)).ok()?;
                Some(Descriptor::of(halves[0], halves[1]))
            }
        }
    }
}

impl Iterator for Descriptors<'_> {
    type Item = Descriptor;

    fn next(&mut self) -> Option<Descriptor> {
        loop {
            if self.left == 0 || self.next >= self.entries {
                return None;
            }
            let descriptor = self.read()?;
            if descriptor.has(VRING_DESC_F_INDIRECT) {
                self.enter(&descriptor)?;
                continue;
            }
            self.bytes = self.bytes.checked_add(descriptor.len)?;
            self.left -= 1;
            if descriptor.has(VRING_DESC_F_NEXT) {
                self.next = descriptor.next;
            } else {
                self.left = 0;
            }
            return Some(descriptor);
        }
    }
}
