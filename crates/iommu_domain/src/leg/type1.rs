//! The leg of a host group on VFIO type1: one container for the group's whole life.
//!
//! Permissions are the guest's, never more.
//!
//! A success of the kernel is held against the count of bytes that comes with it: what the kernel left out stays reachable,
//! and to say OK of it would be the worst that a leg can do.

use std::io;
use std::time::Duration;

use base::CallId;
use data_model::Span;

use super::{DmaHost, Leg, LegError, is_mirrored};
use crate::{Backing, Perm};

/// One container, mirrored into.
pub struct Type1Leg<H> {
    name: String,
    host: H,
    /// What DMA_AVAIL said when nothing was mapped.
    capacity: Option<u32>,
    /// Bytes that the container maps.
    held: u64,
}

impl<H: DmaHost> Type1Leg<H> {
    /// A leg on an empty container.
    pub fn new(name: String, host: H) -> Type1Leg<H> {
        let capacity = host.available();
        Type1Leg { name, host, capacity, held: 0 }
    }
}

fn failed(call: CallId) -> impl FnOnce(io::Error) -> LegError {
    move |source| LegError { call, source }
}

/// A failure when the kernel removed less than what was there.
fn enough(call: CallId, removed: u64, bytes: u64) -> Result<(), LegError> {
    if removed >= bytes {
        return Ok(());
    }
    let source = io::Error::other(format!("the kernel removed {removed:#x} of {bytes:#x} bytes"));
    Err(LegError { call, source })
}

impl<H: DmaHost> Leg for Type1Leg<H> {
    fn name(&self) -> &str {
        &self.name
    }

    fn map(&mut self, iova: Span, backing: &Backing, offset: u64, perm: Perm) -> Result<(), LegError> {
        let Backing::Memory(memory) = backing else { return Ok(()) };
        if !is_mirrored(backing, perm) {
            return Ok(());
        }
        // Kernels before 6.18 map the end of the address space and cannot unmap it.
        let len = iova.next().and_then(|_| iova.len());
        let slice = len.and_then(|len| memory.slice(offset, len));
        let slice = slice.ok_or_else(|| failed(CallId::Type1Map)(io::ErrorKind::InvalidInput.into()))?;
        self.host.map(iova, slice, perm).map_err(failed(CallId::Type1Map))?;
        self.held = self.held.saturating_add(slice.len());
        Ok(())
    }

    fn unmap(&mut self, extent: Span, bytes: u64) -> Result<(), LegError> {
        let removed = self.host.unmap(extent).map_err(failed(CallId::Type1Unmap))?;
        self.held = self.held.saturating_sub(removed);
        enough(CallId::Type1Unmap, removed, bytes)
    }

    fn clear(&mut self) -> Result<(), LegError> {
        let removed = self.host.unmap_all().map_err(failed(CallId::Type1UnmapAll))?;
        // What it left is asked for again the next time, and fails again.
        let held = self.held;
        self.held = held.saturating_sub(removed);
        enough(CallId::Type1UnmapAll, removed, held)
    }

    fn block(&mut self) -> Result<(), LegError> {
        self.host.reset_devices().map_err(failed(CallId::DeviceReset))
    }

    fn host_time(&self) -> Duration {
        self.host.time()
    }

    fn host_mappings(&self) -> Option<u64> {
        let (capacity, free) = (self.capacity?, self.host.available()?);
        Some(u64::from(capacity.saturating_sub(free)))
    }
}

#[cfg(test)]
mod tests;
