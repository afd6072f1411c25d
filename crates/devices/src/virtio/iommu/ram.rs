//! Guest RAM, looked up where something was found last: a driver's requests lie close together.

use std::cell::Cell;

use base::GuestMem;
use vm_memory::{GuestAddress, GuestMemoryBackend, GuestMemoryRegion, VolatileSlice};

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

    /// What lies in more than one piece is put together by looking it up here.
    pub(super) fn mem(&self) -> &'m GuestMem {
        self.mem
    }

    /// `len` bytes at `address`; `None` when they are not in one piece of RAM.
    #[inline]
    pub(super) fn slice(&self, address: GuestAddress, len: usize) -> Option<VolatileSlice<'m>> {
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
