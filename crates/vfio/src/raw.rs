//! MAP_DMA and UNMAP_DMA with any numbers, wrong ones too: for holding a kernel against a model of it. Not in the product:
//! the feature `raw` brings it.

use std::io;
use std::ops::Range;

use base::HostMemory;
use vfio_bindings::bindings::vfio::vfio_iommu_type1_dma_map;

use crate::container::Unmap;
use crate::ioctl;
use crate::{Container, DmaPerm};

/// Addresses of the kernel's half, where no process has memory, whatever the architecture does with the top byte, and
/// below what x86 shows of the kernel's own.
pub const NOWHERE: Range<u64> = 0xffff_8000_0000_0000..0xffff_ff00_0000_0000;

/// A MAP_DMA in the caller's numbers, over memory that devices may have or over none at all.
#[derive(Clone, Copy, Debug)]
pub struct RawMap {
    vaddr: u64,
    size: u64,
}

impl RawMap {
    /// `size` bytes at `vaddr`: inside `memory`, or 0 of them, or beginning [`NOWHERE`]. `None` for anything else, which
    /// might be memory that devices must not have.
    pub fn new(memory: &HostMemory, vaddr: u64, size: u64) -> Option<RawMap> {
        let start = memory.slice(0, 1).map(|slice| slice.address())?;
        let inside = vaddr >= start && memory.slice(vaddr - start, size).is_some();
        (size == 0 || inside || NOWHERE.contains(&vaddr)).then_some(RawMap { vaddr, size })
    }
}

impl Container {
    /// Asks for a mapping as told. `perm` may be nothing, `flags` may hold bits that the kernel does not know (of those that it
    /// knows, only the two of `perm` are passed on), `argsz` may lie.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn map_raw(&self, iova: u64, map: RawMap, perm: DmaPerm, flags: u32, argsz: u32) -> io::Result<()> {
        let known = 0b111;
        let map = vfio_iommu_type1_dma_map {
            argsz,
            flags: perm.flags() | (flags & !known),
            vaddr: map.vaddr,
            iova,
            size: map.size,
        };
        // The kernel pins all of a range or none of it, from its first page on: by the promise of `RawMap` that is a
        // device's business, or is no memory.
        ioctl::with_ref(self, ioctl::VFIO_IOMMU_MAP_DMA(), &map)?;
        Ok(())
    }

    /// Asks for a range to be unmapped as told; of the flags that the kernel knows, only ALL is passed on.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn unmap_raw(&self, iova: u64, size: u64, all: bool, flags: u32, argsz: u32) -> io::Result<u64> {
        let (known, all) = (0b111, if all { 0b010 } else { 0 });
        let mut unmap = Unmap { argsz, flags: all | (flags & !known), iova, size };
        ioctl::with_mut(self, ioctl::VFIO_IOMMU_UNMAP_DMA(), &mut unmap)?;
        Ok(unmap.size)
    }
}

#[cfg(test)]
mod tests;
