//! What lies at a guest-physical address: RAM, a device's BAR, or the doorbell of the interrupt controller.
//!
//! Invariant: the ranges never overlap. RAM never changes; BARs come and go as the guest programs them.

use base::HostMemory;
use data_model::Span;
use sync::RwLock;
use thiserror::Error;

/// What is behind a guest-physical range.
#[derive(Clone, Debug)]
pub enum Backing {
    /// Host memory: guest RAM or a BAR.
    Memory(HostMemory),
    /// Where the guest's devices write their interrupts; there is no memory behind it.
    Doorbell,
}

impl Backing {
    /// Whether this is guest RAM.
    pub fn is_ram(&self) -> bool {
        matches!(self, Backing::Memory(memory) if memory.is_ram())
    }
}

/// Two things at one guest-physical address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("guest-physical {wanted} overlaps {taken}")]
pub struct PhysConflict {
    /// What should have been added.
    pub wanted: Span,
    /// What is there.
    pub taken: Span,
}

/// The guest-physical address space as DMA sees it.
#[derive(Debug, Default)]
pub struct PhysMap {
    /// By rising address. A list, because each MAP looks one up, and who lays out a guest makes few.
    ranges: RwLock<Vec<(Span, Backing)>>,
}

impl PhysMap {
    /// An address space with this RAM.
    pub fn new(ram: Vec<(Span, HostMemory)>) -> Result<PhysMap, PhysConflict> {
        let map = PhysMap::default();
        for (span, memory) in ram {
            map.insert(span, Backing::Memory(memory))?;
        }
        Ok(map)
    }

    /// Adds a BAR window or a doorbell frame. Where an [`Iommu`](crate::Iommu) is at work already, its
    /// [`insert_memory`](crate::Iommu::insert_memory) is the way.
    pub fn insert(&self, span: Span, backing: Backing) -> Result<(), PhysConflict> {
        let mut ranges = self.ranges.write();
        let place = before(&ranges, span.last());
        if let Some((taken, _)) = last_of(&ranges, place)
            && taken.overlaps(&span)
        {
            return Err(PhysConflict { wanted: span, taken: *taken });
        }
        ranges.insert(place, (span, backing));
        Ok(())
    }

    /// Takes away the range that is exactly `span`; whether there was one. Where an [`Iommu`](crate::Iommu) is at work, its
    /// [`remove_memory`](crate::Iommu::remove_memory) is the way: the legs must follow.
    pub fn remove(&self, span: Span) -> bool {
        let mut ranges = self.ranges.write();
        let place = ranges.iter().position(|(taken, _)| *taken == span);
        place.map(|place| ranges.remove(place)).is_some()
    }

    /// What is behind all of `span`, and the offset of its first byte there; `None` when it is no memory or more than
    /// one range.
    pub fn resolve(&self, span: Span) -> Option<(Backing, u64)> {
        let ranges = self.ranges.read();
        let (place, backing) = last_of(&ranges, before(&ranges, span.start()))?;
        place.covers(&span).then(|| (backing.clone(), span.start() - place.start()))
    }

    /// The ranges of guest RAM.
    pub fn ram(&self) -> Vec<Span> {
        self.ranges.read().iter().filter(|(_, backing)| backing.is_ram()).map(|(span, _)| *span).collect()
    }
}

/// How many ranges start at `at` or before.
fn before(ranges: &[(Span, Backing)], at: u64) -> usize {
    ranges.partition_point(|(span, _)| span.start() <= at)
}

/// The last of the first `count`.
fn last_of(ranges: &[(Span, Backing)], count: usize) -> Option<&(Span, Backing)> {
    ranges.get(count.checked_sub(1)?)
}

#[cfg(test)]
mod tests;
