//! The pieces of guest RAM behind one access, in order.

use std::iter::FusedIterator;

use base::GuestMem;
use iommu_domain::SoftUse;
use vm_memory::guest_memory::{GuestMemoryBackendSliceIterator, GuestMemorySliceIterator, Result};
use vm_memory::{GuestAddress, GuestMemoryBackend, VolatileSlice};

/// A piece of guest RAM: guest-physical address and bytes.
pub(super) type Piece = (u64, usize);

/// The pieces; what they were translated by stays as it is while this lives.
pub(super) struct Slices<'a> {
    _in_use: Option<SoftUse<'a>>,
    ram: &'a GuestMem,
    now: GuestMemoryBackendSliceIterator<'a, GuestMem>,
    rest: std::vec::IntoIter<Piece>,
}

impl<'a> Slices<'a> {
    /// `count` bytes at a guest-physical address.
    pub(super) fn direct(ram: &'a GuestMem, address: u64, count: usize) -> Slices<'a> {
        let now = ram.get_slices(GuestAddress(address), count);
        Slices { _in_use: None, ram, now, rest: Vec::new().into_iter() }
    }

    /// The pieces that a translation gave.
    pub(super) fn translated(
        in_use: SoftUse<'a>,
        ram: &'a GuestMem,
        first: Piece,
        rest: Vec<Piece>,
    ) -> Slices<'a> {
        let now = ram.get_slices(GuestAddress(first.0), first.1);
        Slices { _in_use: Some(in_use), ram, now, rest: rest.into_iter() }
    }
}

impl<'a> Iterator for Slices<'a> {
    type Item = Result<VolatileSlice<'a, ()>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(slice) = self.now.next() {
                return Some(slice);
            }
            let (address, count) = self.rest.next()?;
            self.now = self.ram.get_slices(GuestAddress(address), count);
        }
    }
}

impl FusedIterator for Slices<'_> {}

impl<'a> GuestMemorySliceIterator<'a, ()> for Slices<'a> {}
