//! Mappings coming and going: the hot path.
//!
//! One host call for each leg and request, no allocation but the table's own, nothing logged.

use data_model::Span;

use super::legs::{Content, LegSlot, unmap_before};
use super::{Domain, Iommu, IommuConfig};
use crate::leg::is_mirrored;
use crate::{Backing, DomainId, HostFailure, Mapping, Perm, PhysMap, Refusal};

impl Iommu {
    /// Adds `mapping` to `domain` and to all its legs. When a leg refuses, the others are undone.
    pub fn map(&mut self, id: DomainId, mapping: Mapping) -> Result<(), Refusal> {
        self.config.check_placement(&mapping)?; // G8, M1
        let domain = self.domains.get_mut(&id).ok_or(Refusal::NoDomain(id))?; // M4
        if domain.bypass {
            return Err(Refusal::BypassDomain(id)); // M5
        }
        let (backing, offset) = resolve(&self.phys, &mapping)?; // M11
        check_reserved(&self.config, domain, &mapping, &backing)?; // M8, V4
        if domain.table.len() >= self.config.max_mappings {
            return Err(Refusal::TooMany { what: "mappings", cap: self.config.max_mappings });
        }
        let locked = domain.locked.saturating_add(mapping.bytes());
        if locked > self.config.lockable && backing.is_ram() && is_pinned(&mapping, domain, &self.legs) {
            return Err(Refusal::Locked { domain: id, cap: self.config.lockable });
        }
        // Into the table first: it refuses an overlap (M2) before any leg is touched.
        let (span, perm) = (mapping.iova, mapping.perm);
        domain.table.insert(mapping).map_err(|there| Refusal::Overlap { span, mapped: there.iova })?;
        for position in 0..domain.legs.len() {
            let slot = &mut self.legs[domain.legs[position]];
            if slot.content == Content::Quarantined {
                continue;
            }
            self.host_calls += 1;
            if let Err(error) = slot.leg.map(span, &backing, offset, perm) {
                let failure = slot.failure(error, span);
                let bytes = if is_mirrored(&backing, perm) { span.len().unwrap_or(u64::MAX) } else { 0 };
                domain.table.remove(span);
                unmap_before(domain, &mut self.legs, position, (span, bytes));
                return Err(failure.into());
            }
        }
        if !is_mirrored(&backing, perm) {
            domain.software.insert(span.start());
        } else if !backing.is_ram() {
            domain.devices.insert(span.start());
        } else {
            domain.locked = locked;
        }
        Ok(())
    }

    /// Removes every mapping of `domain` that lies inside `span`; holes are fine, a mapping in part is not (U4, U5).
    ///
    /// A leg that cannot unmap is quarantined, and the mappings are gone all the same: guests do not look at the answer
    /// of an UNMAP and use the memory for something else at once, so keeping it reachable would be the worse failure.
    pub fn unmap(&mut self, id: DomainId, span: Span) -> Result<(), Refusal> {
        let domain = self.domains.get_mut(&id).ok_or(Refusal::NoDomain(id))?; // U2
        if domain.bypass {
            return Err(Refusal::BypassDomain(id)); // U3
        }
        let split = |mapping: Mapping| Refusal::Split { span, mapped: mapping.iova };
        let Some(extent) = domain.table.extent(span).map_err(split)? else { return Ok(()) };
        let unusual = domain.forget_unusual(extent.span);
        let mirrored = extent.bytes.saturating_sub(unusual.software);
        domain.locked = domain.locked.saturating_sub(mirrored.saturating_sub(unusual.device));
        let mut failure: Option<HostFailure> = None;
        for index in &domain.legs {
            let slot = &mut self.legs[*index];
            if slot.content == Content::Quarantined {
                continue;
            }
            self.host_calls += 1;
            if let Err(error) = slot.leg.unmap(extent.span, mirrored) {
                slot.quarantine();
                failure = Some(slot.failure(error, extent.span));
            }
        }
        domain.table.remove(extent.span);
        failure.map_or(Ok(()), |failure| Err(failure.into()))
    }

    /// Whether this is the guest's own doorbell, mapped in a window that is there for doorbells.
    pub(super) fn is_doorbell(&self, mapping: &Mapping) -> bool {
        let backing = super::legs::target(&self.phys, mapping).map(|(backing, _)| backing);
        self.config.is_doorbell(mapping.iova, backing.as_ref())
    }
}

impl IommuConfig {
    fn is_doorbell(&self, iova: Span, backing: Option<&Backing>) -> bool {
        matches!(backing, Some(Backing::Doorbell))
            && self.doorbell_windows.iter().any(|window| window.covers(&iova))
    }

    /// Inside the input range, and all ends on granules.
    fn check_placement(&self, mapping: &Mapping) -> Result<(), Refusal> {
        let (span, granule) = (mapping.iova, self.granule);
        if !self.input.covers(&span) {
            return Err(Refusal::OutOfRange { span, input: self.input });
        }
        if !span.is_aligned(granule) {
            let low = granule - 1;
            let address = if span.start() & low == 0 { span.last() } else { span.start() };
            return Err(Refusal::Misaligned { address, granule });
        }
        if mapping.phys & (granule - 1) != 0 {
            return Err(Refusal::Misaligned { address: mapping.phys, granule });
        }
        Ok(())
    }
}

/// Whether a mapping of RAM would be locked at all: it permits something, and a leg of its domain pins.
#[cold]
fn is_pinned(mapping: &Mapping, domain: &Domain, legs: &[LegSlot]) -> bool {
    mapping.perm != Perm::NONE && domain.legs.iter().any(|index| legs[*index].leg.pins())
}

fn resolve(phys: &PhysMap, mapping: &Mapping) -> Result<(Backing, u64), Refusal> {
    super::legs::target(phys, mapping).ok_or(Refusal::NotMemory { phys: mapping.phys, span: mapping.iova })
}

/// No mapping in a reserved region, but for the guest's own doorbell in a window that is there for doorbells.
fn check_reserved(
    config: &IommuConfig,
    domain: &Domain,
    mapping: &Mapping,
    backing: &Backing,
) -> Result<(), Refusal> {
    let span = mapping.iova;
    let Some(reserved) = domain.reserved.iter().find(|reserved| reserved.overlaps(&span)) else {
        return Ok(());
    };
    if config.is_doorbell(span, Some(backing)) {
        return Ok(());
    }
    Err(Refusal::Reserved { span, reserved: *reserved })
}
