//! The leg of an emulated device: a mixed domain in this process, in which the device looks up every address that it uses.
//!
//! What the domain's table lets through is judged here once more, by the letter's rules and by what this endpoint was told: a
//! refusal is a failure of this leg, and the request is undone. A doorbell that the guest maps is left out: interrupts of emulated
//! devices are translated by the [`Iommu`](crate::Iommu) when their vector is programmed, and a doorbell is no memory.
//!
//! The device holds a [`SoftUse`] for as long as it uses the bytes that a look-up led to, and whatever takes a mapping away
//! waits for it. So an UNMAP, a DETACH or a reset is answered only after the last use of what it ended.

use std::io;
use std::sync::Arc;

use base::CallId;
use data_model::Span;
use sync::{Use, Versioned};

use super::{Leg, LegError, is_mirrored};
use crate::mixed::{Config, ConfigError, Device, Failure, MapRequest, MixedDomain, Target, UnmapRequest};
use crate::{Backing, Mapping, Perm, Table};

/// What an emulated device reaches at present; shared by its leg and its threads.
pub struct SoftTable(Versioned<MixedDomain>);

/// A use of the table: every mapping seen through it stays until it ends. One thread, one use.
pub struct SoftUse<'a>(Use<'a, MixedDomain>);

impl Default for SoftTable {
    /// One in which nothing is reserved.
    fn default() -> SoftTable {
        SoftTable(Versioned::new(MixedDomain::open()))
    }
}

impl SoftTable {
    /// A domain of this configuration with this one device in it, and nothing mapped.
    pub fn new(config: Config, device: Device) -> Result<SoftTable, ConfigError> {
        let mut domain = MixedDomain::new(config)?;
        // An isolated device fits every empty domain that it can address at all; in another it reaches nothing.
        drop(domain.attach(device));
        Ok(SoftTable(Versioned::new(domain)))
    }

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
        self.table().get(iova)
    }

    /// Every mapping, by rising IOVA.
    pub fn mappings(&self) -> impl Iterator<Item = Mapping> + '_ {
        self.table().iter()
    }

    /// The mixed domain itself.
    pub fn domain(&self) -> &MixedDomain {
        self.0.value()
    }

    fn table(&self) -> &Table {
        self.domain().state().slots.table()
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

/// A refusal in the words that a kernel would have for it.
fn kernel_would(call: CallId) -> impl FnOnce(Failure) -> LegError {
    move |failure| LegError { call, source: io::Error::from_raw_os_error(failure.errno.code()) }
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
        // All of the address space has no length that fits, and is no piece of guest RAM.
        let Some(len) = iova.len() else { return Ok(()) };
        let request = MapRequest::new(iova.start(), len, Target::Ram { backing: 0, offset: phys }, perm);
        self.table.0.extend(|domain| domain.map(request)).map_err(kernel_would(CallId::Type1Map))
    }

    /// The table is this process's own: what it was told to remove is gone.
    fn unmap(&mut self, extent: Span, _: u64) -> Result<(), LegError> {
        let Some(len) = extent.len() else { return self.clear() };
        let request = UnmapRequest::range(extent.start(), len);
        self.table
            .0
            .revoke(|domain| domain.unmap(request))
            .map(drop)
            .map_err(kernel_would(CallId::Type1Unmap))
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
        Some(self.table.enter().table().len() as u64)
    }
}

#[cfg(test)]
mod tests;
