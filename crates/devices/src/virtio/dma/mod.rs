//! The memory that a virtio device uses: guest RAM as it lies there, or what its endpoint of the virtual IOMMU reaches.
//!
//! Devices and rings know only [`Dma`]; it is `vm_memory`'s [`GuestMemory`], so its `read_slice`, `load` and the like work
//! on it. Invariants:
//! - an access is carried out whole or not at all: one that does not translate touches no byte, and the driver is told by a
//!   fault in the event queue of its IOMMU;
//! - while bytes are touched, nothing that the access depends on is unmapped; so keep accesses short (a copy, never a system
//!   call that waits), and never make one inside another.

mod slices;
mod tlb;
mod view;

use std::sync::Arc;

use base::GuestMem;
use iommu_domain::Perm;
use vm_memory::guest_memory::GuestMemorySliceIterator;
use vm_memory::{GuestAddress, GuestMemory, GuestMemoryBackend, Permissions};

use slices::Slices;
pub use view::DmaView;

/// Hears of accesses that lead nowhere.
pub trait DmaFaults: Send + Sync {
    /// The device wanted `need` at `address`, and did not get it.
    fn fault(&self, address: u64, need: Perm);
}

/// Memory as a device sees it. A clone remembers no translations of the first, and may be used on another thread.
#[derive(Clone)]
pub struct Dma {
    ram: Arc<GuestMem>,
    view: Option<DmaView>,
}

impl Dma {
    /// All of guest RAM, at guest-physical addresses.
    pub fn direct(ram: Arc<GuestMem>) -> Dma {
        Dma { ram, view: None }
    }

    /// What the endpoint of `view` reaches.
    pub fn translated(ram: Arc<GuestMem>, view: DmaView) -> Dma {
        Dma { ram, view: Some(view) }
    }

    /// Whether addresses are translated.
    pub fn is_translated(&self) -> bool {
        self.view.is_some()
    }

    /// Guest RAM, for a device whose addresses are not translated.
    pub fn as_direct(&self) -> Option<&Arc<GuestMem>> {
        self.view.is_none().then_some(&self.ram)
    }
}

impl From<Arc<GuestMem>> for Dma {
    fn from(ram: Arc<GuestMem>) -> Dma {
        Dma::direct(ram)
    }
}

impl GuestMemory for Dma {
    type PhysicalMemory = GuestMem;
    type Bitmap = ();

    /// Asks without touching: nobody hears of it.
    fn check_range(&self, addr: GuestAddress, count: usize, access: Permissions) -> bool {
        match &self.view {
            Some(view) => view.reaches(addr.0, count, perm(access)),
            None => GuestMemoryBackend::check_range(&*self.ram, addr, count),
        }
    }

    fn get_slices<'a>(
        &'a self,
        addr: GuestAddress,
        count: usize,
        access: Permissions,
    ) -> vm_memory::guest_memory::Result<impl GuestMemorySliceIterator<'a, ()>> {
        match &self.view {
            Some(view) => view.slices(&self.ram, addr.0, count, perm(access)),
            None => Ok(Slices::direct(&self.ram, addr.0, count)),
        }
    }
}

fn perm(access: Permissions) -> Perm {
    Perm { read: access.allow(Permissions::Read), write: access.allow(Permissions::Write) }
}

#[cfg(test)]
mod tests;
