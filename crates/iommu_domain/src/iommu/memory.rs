//! Device memory that comes and goes under the mappings that lead to it.
//!
//! A guest moves a BAR without a word to the IOMMU. The mapping stays in the table, and leads nowhere until something is at its
//! target again; the legs follow at once, or a device would go on reaching what is elsewhere now. Invariant: while all of a
//! mapping's target is not there, no leg holds the mapping, and it is among those of software.

use data_model::Span;

use super::legs::{Content, target, unmap_before};
use super::{Domain, Iommu};
use crate::{Backing, HostFailure, Mapping, PhysConflict, Table};

impl Iommu {
    /// Device memory has appeared at `span`; what leads there is mapped for the devices again. A mapping that the host refuses
    /// is left out on all legs: the failures tell.
    pub fn insert_memory(&mut self, span: Span, backing: Backing) -> Result<Vec<HostFailure>, PhysConflict> {
        self.phys.insert(span, backing)?;
        let mut failures = Vec::new();
        for id in self.domains.keys().copied().collect::<Vec<_>>() {
            for mapping in self.leading_to(id, span, true) {
                failures.extend(self.bring_back(id, mapping).err());
            }
        }
        Ok(failures)
    }

    /// The device memory that is exactly `span` is gone; no device reaches it any more through a mapping. A leg that cannot
    /// follow is quarantined: the failures tell.
    pub fn remove_memory(&mut self, span: Span) -> Vec<HostFailure> {
        let mut failures = Vec::new();
        if !self.phys.remove(span) {
            return failures;
        }
        for id in self.domains.keys().copied().collect::<Vec<_>>() {
            let gone = self.leading_to(id, span, false);
            if !gone.is_empty()
                && let Some(times) = self.lost.count()
            {
                log::warn!(
                    "domain {id}: {} mappings lead nowhere, device memory {span} is gone (time {times} of this kind)",
                    gone.len()
                );
            }
            for mapping in gone {
                failures.extend(self.take_away(id, mapping));
            }
        }
        failures
    }

    /// Mappings of a domain to device memory in `span`: those that no leg holds, or the others.
    fn leading_to(&self, id: u32, span: Span, software: bool) -> Vec<Mapping> {
        let Some(domain) = self.domains.get(&id) else { return Vec::new() };
        let wanted = domain.devices.iter().filter(|start| domain.software.contains(start) == software);
        let mappings = wanted.filter_map(|start| domain.table.get(*start));
        mappings.filter(|mapping| mapping.target().is_some_and(|target| span.covers(&target))).collect()
    }

    /// Takes a mapping out of the legs; it stays in the table.
    fn take_away(&mut self, id: u32, mapping: Mapping) -> Vec<HostFailure> {
        let Some(domain) = self.domains.get_mut(&id) else { return Vec::new() };
        domain.software.insert(mapping.iova.start());
        let mut failures = Vec::new();
        for index in &domain.legs {
            let slot = &mut self.legs[*index];
            if slot.content == Content::Quarantined {
                continue;
            }
            self.host_calls += 1;
            if let Err(error) = slot.leg.unmap(mapping.iova, mapping.bytes()) {
                slot.quarantine();
                failures.push(slot.failure(error, mapping.iova));
            }
        }
        failures
    }

    /// Puts a mapping of the table into the legs, all or none.
    fn bring_back(&mut self, id: u32, mapping: Mapping) -> Result<(), HostFailure> {
        let Some(domain) = self.domains.get_mut(&id) else { return Ok(()) };
        let Some((backing, offset)) = target(&self.phys, &mapping) else { return Ok(()) };
        for position in 0..domain.legs.len() {
            let slot = &mut self.legs[domain.legs[position]];
            if slot.content == Content::Quarantined {
                continue;
            }
            self.host_calls += 1;
            if let Err(error) = slot.leg.map(mapping.iova, &backing, offset, mapping.perm) {
                let failure = slot.failure(error, mapping.iova);
                unmap_before(domain, &mut self.legs, position, (mapping.iova, mapping.bytes()));
                return Err(failure);
            }
        }
        domain.software.remove(&mapping.iova.start());
        Ok(())
    }
}

/// Bytes of mappings that are not like most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unusual {
    /// Of those that no leg mirrors.
    pub software: u64,
    /// Of those that legs mirror and that lead to device memory.
    pub device: u64,
}

impl Domain {
    /// Forgets what is known of the mappings in `inside` besides the table.
    pub(super) fn forget_unusual(&mut self, inside: Span) -> Unusual {
        if self.devices.is_empty() && self.software.is_empty() {
            return Unusual::default();
        }
        let range = || inside.start()..=inside.last();
        let bytes = |table: &Table, start: u64| table.get(start).map_or(0, |mapping| mapping.bytes());
        let mut unusual = Unusual::default();
        while let Some(start) = self.devices.range(range()).next().copied() {
            self.devices.remove(&start);
            if !self.software.contains(&start) {
                unusual.device = unusual.device.saturating_add(bytes(&self.table, start));
            }
        }
        while let Some(start) = self.software.range(range()).next().copied() {
            self.software.remove(&start);
            unusual.software = unusual.software.saturating_add(bytes(&self.table, start));
        }
        unusual
    }
}
