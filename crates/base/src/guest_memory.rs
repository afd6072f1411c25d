//! The guest's RAM: one memfd, mapped once, with holes where the address map has none.

#[cfg(miri)]
mod miri;

use std::fs::File;
use std::io;
use std::sync::Arc;

use data_model::Span;
#[cfg(not(miri))]
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::mm::{Advice, madvise};
use thiserror::Error;
use vm_memory::{FileOffset, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion};

#[cfg(miri)]
use miri::{map, memfd};

/// The type every user of guest memory takes.
pub type GuestMem = GuestMemoryMmap<()>;

/// Why guest memory could not be made.
#[derive(Debug, Error)]
pub enum GuestRamError {
    /// The host gave no memory file of this size.
    #[error("cannot make a memory file of {size} bytes for guest RAM: {source}")]
    Memfd {
        /// Bytes asked for.
        size: u64,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A region could not be mapped.
    #[error("cannot map guest RAM {span}: {reason}")]
    Map {
        /// Guest-physical range.
        span: Span,
        /// What vm-memory said.
        reason: String,
    },
}

/// Guest RAM and the file behind it.
#[derive(Clone, Debug)]
pub struct GuestRam {
    /// For reading and writing by guest-physical address.
    pub mem: Arc<GuestMem>,
    /// The memory file; region `n` starts where region `n - 1` ended.
    pub file: Arc<File>,
}

impl GuestRam {
    /// Makes RAM at these guest-physical ranges: sorted, disjoint, page-aligned.
    pub fn new(layout: &[Span]) -> Result<GuestRam, GuestRamError> {
        let size = layout.iter().fold(0u64, |sum, span| sum.saturating_add(span.len().unwrap_or(u64::MAX)));
        let file = memfd(size).map_err(|source| GuestRamError::Memfd { size, source })?;
        GuestRam::from_file(layout, file)
    }

    /// The same RAM in another process, from its file and the same ranges.
    pub fn from_file(layout: &[Span], file: File) -> Result<GuestRam, GuestRamError> {
        let file = Arc::new(file);
        let mut offset = 0;
        let mut regions = Vec::with_capacity(layout.len());
        for span in layout {
            let failed = |reason: String| GuestRamError::Map { span: *span, reason };
            let len = span.len().unwrap_or(u64::MAX);
            let place = FileOffset::from_arc(file.clone(), offset);
            let map = map(place, len as usize).map_err(failed)?;
            let region = vm_memory::GuestRegionMmap::new(map, GuestAddress(span.start()));
            regions.push(region.ok_or_else(|| failed("leaves the address space".into()))?);
            offset += len;
        }
        let mem = GuestMem::from_regions(regions).map_err(|e| GuestRamError::Map {
            span: layout.first().copied().unwrap_or(Span::ALL),
            reason: e.to_string(),
        })?;
        Ok(GuestRam { mem: Arc::new(mem), file })
    }

    /// Asks the kernel to hold this RAM in huge pages where it can; what is touched already stays as it is. For a memory file
    /// that takes `advise` or more in `/sys/kernel/mm/transparent_hugepage/shmem_enabled`.
    pub fn advise_huge_pages(&self) -> io::Result<()> {
        for region in self.mem.iter() {
            // SAFETY: the range is a mapping of this value; the advice changes no byte of it.
            unsafe { madvise(region.as_ptr().cast(), region.len() as usize, Advice::LinuxHugepage)? };
        }
        Ok(())
    }

    /// This RAM with that advice; where the kernel has no huge pages it is as good without.
    pub fn in_huge_pages(self) -> GuestRam {
        if let Err(error) = self.advise_huge_pages() {
            log::debug!("guest RAM is not advised to be in huge pages: {error}");
        }
        self
    }

    /// Guest-physical range and host virtual address of each region.
    pub fn regions(&self) -> Vec<(Span, u64)> {
        self.mem
            .iter()
            .filter_map(|region| {
                let span = Span::from_len(region.start_addr().0, region.len())?;
                Some((span, region.as_ptr() as u64))
            })
            .collect()
    }

    /// Bytes of RAM.
    pub fn size(&self) -> u64 {
        self.mem.iter().fold(0, |sum, region| sum + region.len())
    }
}

#[cfg(not(miri))]
fn map(place: FileOffset, len: usize) -> Result<vm_memory::MmapRegion, String> {
    vm_memory::MmapRegion::from_file(place, len).map_err(|error| error.to_string())
}

#[cfg(not(miri))]
fn memfd(size: u64) -> io::Result<File> {
    let fd = memfd_create("guest-ram", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let file = File::from(fd);
    file.set_len(size)?;
    fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(file)
}
