//! Memory of this process that a device may be given: guest RAM or a device's BAR, never anything else.
//!
//! Invariant: a [`HostSlice`] can only be made from guest RAM or a device mapping, so handing its pages to a device
//! cannot expose or corrupt memory that Rust code relies on: all access to both is volatile.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use data_model::Span;

use crate::{GuestMem, GuestRam, MappedRegion};

/// A piece of guest RAM or of a device's BAR, as one range of host virtual addresses.
#[derive(Clone)]
pub struct HostMemory {
    address: u64,
    len: u64,
    owner: Owner,
}

#[derive(Clone)]
enum Owner {
    /// Keeps the mapping alive; and the guest-physical address of the first byte.
    Ram(#[expect(dead_code, reason = "keeps the mapping alive")] Arc<GuestMem>, u64),
    Device(#[expect(dead_code, reason = "keeps the mapping alive")] Arc<MappedRegion>),
}

/// A part of a [`HostMemory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostSlice<'a> {
    address: u64,
    len: u64,
    memory: PhantomData<&'a HostMemory>,
}

impl HostMemory {
    /// Each region of guest RAM with its guest-physical range.
    pub fn of_ram(ram: &GuestRam) -> Vec<(Span, HostMemory)> {
        let memory = |(span, address): (Span, u64)| {
            let len = span.len().unwrap_or(u64::MAX);
            (span, HostMemory { address, len, owner: Owner::Ram(ram.mem.clone(), span.start()) })
        };
        ram.regions().into_iter().map(memory).collect()
    }

    /// `len` bytes from `offset` of a device's mapping; `None` when they are not inside.
    pub fn of_device(region: Arc<MappedRegion>, offset: u64, len: u64) -> Option<HostMemory> {
        if len == 0 || offset.checked_add(len)? > region.len() as u64 {
            return None;
        }
        Some(HostMemory { address: region.address().checked_add(offset)?, len, owner: Owner::Device(region) })
    }

    /// Bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Never true.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether this is guest RAM, as opposed to a device's memory.
    pub fn is_ram(&self) -> bool {
        matches!(self.owner, Owner::Ram(..))
    }

    /// Guest-physical address of the byte at `offset`; `None` beyond the end, and for a device's memory.
    pub fn guest_address(&self, offset: u64) -> Option<u64> {
        match self.owner {
            Owner::Ram(_, start) if offset < self.len => start.checked_add(offset),
            Owner::Ram(..) | Owner::Device(_) => None,
        }
    }

    /// `len` bytes from `offset` on; `None` when they are not all inside or `len` is 0.
    pub fn slice(&self, offset: u64, len: u64) -> Option<HostSlice<'_>> {
        if len == 0 || offset.checked_add(len)? > self.len {
            return None;
        }
        Some(HostSlice { address: self.address.checked_add(offset)?, len, memory: PhantomData })
    }
}

impl HostSlice<'_> {
    /// Host virtual address of the first byte.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Bytes, at least 1.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Never true.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Debug for HostMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_ram() { "ram" } else { "device" };
        write!(f, "{kind} {:#x}+{:#x}", self.address, self.len)
    }
}
