//! Guest RAM, looked up where something was found last: a driver's requests lie close together.
//!
//! What lies in one piece, as nearly everything does, needs one look-up; what does not is put together.

use std::cell::Cell;

use base::GuestMem;
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryRegion, VolatileSlice};

/// Guest RAM, and one of its regions.
pub(super) struct Ram<'m> {
    mem: &'m GuestMem,
    /// First address and bytes of the region in which something was found last.
    last: Cell<Option<(u64, VolatileSlice<'m>)>>,
}

impl<'m> Ram<'m> {
    /// All of `mem`.
    pub(super) fn new(mem: &'m GuestMem) -> Ram<'m> {
        Ram { mem, last: Cell::new(None) }
    }

    /// Whether all of `len` bytes at `address` are RAM.
    pub(super) fn has(&self, address: GuestAddress, len: usize) -> bool {
        self.slice(address, len).is_some() || self.mem.check_range(address, len)
    }

    /// Fills `bytes` from `address` on; whether all of it could be read.
    pub(super) fn read(&self, address: GuestAddress, bytes: &mut [u8]) -> bool {
        match self.slice(address, bytes.len()) {
            Some(slice) => slice.copy_to(bytes) == bytes.len(),
            None => self.mem.read_slice(bytes, address).is_ok(),
        }
    }

    /// Writes `bytes` to `address`; whether all of it could be written.
    pub(super) fn write(&self, address: GuestAddress, bytes: &[u8]) -> bool {
        match self.slice(address, bytes.len()) {
            Some(slice) => slice.write_slice(bytes, 0).is_ok(),
            None => self.mem.write_slice(bytes, address).is_ok(),
        }
    }

    /// `len` bytes at `address`; `None` when they are not in one piece of RAM.
    #[inline]
    fn slice(&self, address: GuestAddress, len: usize) -> Option<VolatileSlice<'m>> {
        if let Some((first, region)) = self.last.get()
            && let Some(offset) = distance(first, address)
            && let Ok(slice) = region.subslice(offset, len)
        {
            return Some(slice);
        }
        self.look_up(address, len)
    }

    #[cold]
    fn look_up(&self, address: GuestAddress, len: usize) -> Option<VolatileSlice<'m>> {
        let region = self.mem.find_region(address)?;
        let first = region.start_addr();
        let whole = self.mem.get_slice(first, usize::try_from(region.len()).ok()?).ok()?;
        self.last.set(Some((first.0, whole)));
        whole.subslice(distance(first.0, address)?, len).ok()
    }
}

/// Bytes from `first` to `address`.
#[inline]
fn distance(first: u64, address: GuestAddress) -> Option<usize> {
    address.0.checked_sub(first)?.try_into().ok()
}

#[cfg(test)]
mod tests;
