//! The leg of a host group on VFIO type1: one container for the group's whole life.
//!
//! Permissions are the guest's, never more.

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
}

impl<H: DmaHost> Type1Leg<H> {
    /// A leg on an empty container.
    pub fn new(name: String, host: H) -> Type1Leg<H> {
        let capacity = host.available();
        Type1Leg { name, host, capacity }
    }
}

fn failed(call: CallId) -> impl FnOnce(io::Error) -> LegError {
    move |source| LegError { call, source }
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
        let slice = iova.len().and_then(|len| memory.slice(offset, len));
        let slice = slice.ok_or_else(|| failed(CallId::Type1Map)(io::ErrorKind::InvalidInput.into()))?;
        self.host.map(iova, slice, perm).map_err(failed(CallId::Type1Map))
    }

    fn unmap(&mut self, extent: Span) -> Result<(), LegError> {
        // The count of bytes may be short: what was never mirrored is a hole here.
        self.host.unmap(extent).map(drop).map_err(failed(CallId::Type1Unmap))
    }

    fn clear(&mut self) -> Result<(), LegError> {
        self.host.unmap_all().map(drop).map_err(failed(CallId::Type1UnmapAll))
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
