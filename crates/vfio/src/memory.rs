//! Mapping memory that is known to be a device's business: guest RAM and device memory.

use std::io;

use base::HostSlice;
use data_model::Span;

use crate::{Container, DmaPerm};

impl Container {
    /// As [`Container::map_dma`], for memory whose type proves that devices may have it.
    ///
    /// # Errors
    /// As [`Container::map_dma`]; EINVAL also when the two differ in length.
    pub fn map_memory(&self, iova: Span, memory: HostSlice<'_>, perm: DmaPerm) -> io::Result<()> {
        if iova.len() != Some(memory.len()) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        // SAFETY: a slice is guest RAM or a device's BAR, mapped at this moment, and never Rust-owned memory. The kernel
        // pins the pages (or follows the device mapping) now, so that later DMA reaches these pages and no others, also
        // if this process should unmap them.
        unsafe { self.map_dma(iova, memory.address(), perm) }
    }
}
