//! The leg of an emulated device: a mixed domain in this process, in which the device looks up every address that it uses.
//!
//! What the domain's own table lets through is judged here once more, by the rules that a kernel would apply: a refusal is
//! a failure of this leg, and the request is undone.
//!
//! The device holds a [`SoftUse`] for as long as it uses the bytes that a look-up led to, and whatever takes a mapping away
//! waits for it. So an UNMAP, a DETACH or a reset is answered only after the last use of what it ended.

use std::io;
use std::sync::Arc;

use base::CallId;
use data_model::Span;
use sync::{Use, Versioned};

use super::{Leg, LegError, is_mirrored};
use crate::mixed::{Failure, MapRequest, MixedDomain, Target, UnmapRequest};
use crate::{Backing, Mapping, Perm};

/// What an emulated device reaches at present; shared by its leg and its threads.
pub struct SoftTable(Versioned<MixedDomain>);

/// A use of the table: every mapping seen through it stays until it ends. One thread, one use.
pub struct SoftUse<'a>(Use<'a, MixedDomain>);

impl Default for SoftTable {
    /// One in which nothing is reserved: reserved regions and the input range are the [`Iommu`](crate::Iommu)'s.
    fn default() -> SoftTable {
        SoftTable(Versioned::new(MixedDomain::open()))
    }
}

impl SoftTable {
    /// Begins a use.
    pub fn enter(&self) -> SoftUse<'_> {
        SoftUse(self.0.enter())
    }
}

impl SoftUse<'_> {
    /// A mapping remembered from another use still holds when that one showed the same version.
    pub fn version(&self) -> u64 {
        self.0.version()
    }

    /// The mapping at `iova`; its target is guest RAM, all of it.
    pub fn get(&self, iova: u64) -> Option<Mapping> {
        let slot = self.0.value().state().slots.at(iova)?;
        Some(Mapping { iova: slot.span, phys: slot.target.start(), perm: slot.perm })
    }
}

/// Mirrors a domain into a [`SoftTable`].
pub struct SoftLeg {
    name: String,
    table: Arc<SoftTable>,
}

impl SoftLeg {
    /// A leg on an empty table.
    pub fn new(name: String, table: Arc<SoftTable>) -> SoftLeg {
        SoftLeg { name, table }
    }
}

fn refused(source: io::Error) -> LegError {
    LegError { call: CallId::Type1Map, source }
}

/// A refusal in the words that a kernel would have for it.
fn kernel_would(failure: Failure) -> LegError {
    refused(io::Error::from_raw_os_error(failure.errno.code()))
}

impl Leg for SoftLeg {
    fn name(&self) -> &str {
        &self.name
    }

    /// The memory of another device is left out: an emulated device reaches guest RAM alone.
    fn map(&mut self, iova: Span, backing: &Backing, offset: u64, perm: Perm) -> Result<(), LegError> {
        let Backing::Memory(memory) = backing else { return Ok(()) };
        let Some(phys) = memory.guest_address(offset).filter(|_| is_mirrored(backing, perm)) else {
            return Ok(());
        };
        let len = iova.len().ok_or_else(|| refused(io::ErrorKind::InvalidInput.into()))?;
        let request = MapRequest::new(iova.start(), len, Target::Ram { backing: 0, offset: phys }, perm);
        self.table.0.extend(|domain| domain.map(request)).map_err(kernel_would)
    }

    fn unmap(&mut self, extent: Span) -> Result<(), LegError> {
        let Some(len) = extent.len() else { return self.clear() };
        let request = UnmapRequest::range(extent.start(), len);
        self.table.0.revoke(|domain| domain.unmap(request)).map(drop).map_err(kernel_would)
    }

    fn clear(&mut self) -> Result<(), LegError> {
        self.table.0.revoke(MixedDomain::unmap_all);
        Ok(())
    }

    /// An emulated device needs no reset to stop: without mappings it reaches nothing.
    fn block(&mut self) -> Result<(), LegError> {
        Ok(())
    }

    /// The device is in a process that maps guest RAM anyway.
    fn pins(&self) -> bool {
        false
    }

    fn host_mappings(&self) -> Option<u64> {
        Some(self.table.enter().0.value().state().slots.len() as u64)
    }
}

#[cfg(test)]
mod tests;
