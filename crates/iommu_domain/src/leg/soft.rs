//! The leg of an emulated device: a table in this process, in which the device looks up every address that it uses.
//!
//! The device holds a [`SoftUse`] for as long as it uses the bytes that a look-up led to, and whatever takes a mapping away
//! waits for it. So an UNMAP, a DETACH or a reset is answered only after the last use of what it ended.

use std::sync::Arc;

use data_model::Span;
use sync::{Use, Versioned};

use super::{Leg, LegError, is_mirrored};
use crate::{Backing, Extent, Mapping, Perm, Table};

/// What an emulated device reaches at present; shared by its leg and its threads.
#[derive(Default)]
pub struct SoftTable(Versioned<Table>);

/// A use of the table: every mapping seen through it stays until it ends. One thread, one use.
pub struct SoftUse<'a>(Use<'a, Table>);

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
        self.0.value().get(iova)
    }

    /// Every mapping, by rising IOVA.
    pub fn mappings(&self) -> impl Iterator<Item = Mapping> + '_ {
        self.0.value().iter()
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
        let added = self.table.0.extend(|table| table.insert(Mapping { iova, phys, perm }));
        debug_assert!(added.is_ok(), "the domain's own table refuses overlaps");
        Ok(())
    }

    fn unmap(&mut self, extent: Span) -> Result<(), LegError> {
        self.table.0.revoke(|table| table.remove(Extent { span: extent, count: 0 }));
        Ok(())
    }

    fn clear(&mut self) -> Result<(), LegError> {
        self.table.0.revoke(|table| *table = Table::default());
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
        Some(self.table.enter().0.value().len() as u64)
    }
}

#[cfg(test)]
mod tests;
