//! What each leg holds, and how it gets from one content to the next.
//!
//! A change of content empties the leg first: between two domains the devices reach nothing, never the union. When
//! the host refuses on the way, the leg is emptied; when it cannot even be emptied it is quarantined: emptied as far
//! as possible, its devices reset, and left alone until an ATTACH or a reset finds that it can be emptied again.

use base::{CallId, Rarely};
use data_model::Span;

use super::{Domain, Iommu};
use crate::{DomainId, HostFailure, Leg, LegError, Mapping, Perm};

/// What a leg holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing: the devices reach no memory.
    Nothing,
    /// Guest RAM one to one, without the reserved regions.
    Bypass,
    /// A domain's table.
    Domain(DomainId),
    /// Nothing, because the host failed; not to be filled.
    Quarantined,
}

/// A leg with what it holds and whom it serves.
pub(super) struct LegSlot {
    pub(super) leg: Box<dyn Leg>,
    pub(super) content: Content,
    pub(super) endpoints: Vec<u32>,
    quarantines: Rarely,
}

impl LegSlot {
    pub(super) fn new(leg: Box<dyn Leg>) -> LegSlot {
        LegSlot { leg, content: Content::Nothing, endpoints: Vec::new(), quarantines: Rarely::default() }
    }

    /// Ends a quarantine if the leg can be emptied now.
    pub(super) fn pardon(&mut self) {
        if self.content == Content::Quarantined && self.leg.clear().is_ok() {
            self.content = Content::Nothing;
        }
    }

    /// Blocks the leg for good.
    pub(super) fn quarantine(&mut self) {
        self.content = Content::Quarantined;
        let (emptied, reset) = (self.leg.clear(), self.leg.block());
        // A guest whose host fails can come here again and again, by a reset each time.
        let Some(count) = self.quarantines.count() else { return };
        let name = self.leg.name();
        if let Err(error) = emptied {
            log::error!("{name}: cannot be emptied: {} (quarantine {count})", error.source);
        }
        if let Err(error) = reset {
            log::error!("{name}: its devices cannot be reset: {} (quarantine {count})", error.source);
        }
    }

    /// The failure in words, for the endpoints behind this leg.
    pub(super) fn failure(&self, error: LegError, span: Span) -> HostFailure {
        HostFailure {
            leg: self.leg.name().to_owned(),
            endpoints: self.endpoints.clone(),
            call: error.call,
            span,
            source: error.source,
            quarantined: self.content == Content::Quarantined,
        }
    }
}

impl Iommu {
    /// Brings a leg to what it should hold. On failure it holds nothing, or is quarantined.
    pub(super) fn settle(&mut self, index: usize) -> Result<(), HostFailure> {
        let wanted = self.wanted(index);
        let content = self.legs[index].content;
        if content == wanted {
            return Ok(());
        }
        if content == Content::Quarantined {
            self.legs[index].pardon();
        }
        if self.legs[index].content == Content::Quarantined {
            if wanted == Content::Nothing {
                return Ok(());
            }
            let source = std::io::Error::other("the leg is quarantined after an earlier failure");
            return Err(self.legs[index].failure(LegError { call: CallId::Type1Map, source }, Span::ALL));
        }
        self.empty(index)?;
        let filled = match wanted {
            Content::Bypass => self.fill_bypass(index),
            Content::Domain(id) => self.replay(index, id),
            Content::Nothing | Content::Quarantined => Ok(()),
        };
        match filled {
            Ok(()) => {
                self.legs[index].content = wanted;
                Ok(())
            }
            Err((error, span)) => {
                // Part of the content is there: take it out again.
                self.empty(index)?;
                Err(self.legs[index].failure(error, span))
            }
        }
    }

    /// The same where nobody can be told "no": a leg that cannot follow is quarantined.
    pub(super) fn settle_or_block(&mut self, index: usize) -> Result<(), HostFailure> {
        let Err(mut failure) = self.settle(index) else { return Ok(()) };
        let slot = &mut self.legs[index];
        if slot.content != Content::Quarantined {
            slot.quarantine();
        }
        failure.quarantined = true;
        Err(failure)
    }

    /// Empties a leg; quarantine when that fails.
    fn empty(&mut self, index: usize) -> Result<(), HostFailure> {
        self.host_calls += 1;
        let slot = &mut self.legs[index];
        match slot.leg.clear() {
            Ok(()) => {
                slot.content = Content::Nothing;
                Ok(())
            }
            Err(error) => {
                slot.quarantine();
                Err(slot.failure(error, Span::ALL))
            }
        }
    }

    /// Maps all of a domain's table.
    fn replay(&mut self, index: usize, id: DomainId) -> Result<(), (LegError, Span)> {
        let Some(domain) = self.domains.get(&id) else { return Ok(()) };
        for mapping in domain.table.iter() {
            // What has no target is software's, and what the other legs do not hold this one shall not either.
            if domain.software.contains(&mapping.iova.start()) {
                continue;
            }
            let Some((backing, offset)) = target(&self.phys, &mapping) else { continue };
            self.host_calls += 1;
            let mapped = self.legs[index].leg.map(mapping.iova, &backing, offset, mapping.perm);
            mapped.map_err(|error| (error, mapping.iova))?;
        }
        Ok(())
    }

    /// Maps guest RAM one to one where the endpoints of the leg may use it.
    fn fill_bypass(&mut self, index: usize) -> Result<(), (LegError, Span)> {
        for span in self.bypass_spans(index) {
            let Some((backing, offset)) = self.phys.resolve(span) else { continue };
            self.host_calls += 1;
            let mapped = self.legs[index].leg.map(span, &backing, offset, Perm::READ_WRITE);
            mapped.map_err(|error| (error, span))?;
        }
        Ok(())
    }

    /// Guest RAM, all of which is in the input range, without the reserved regions of the leg's endpoints.
    pub(super) fn bypass_spans(&self, index: usize) -> Vec<Span> {
        let mut spans = self.phys.ram();
        let members = self.legs[index].endpoints.iter().filter_map(|id| self.endpoints.get(id));
        for hole in members.flat_map(|endpoint| &endpoint.reserved) {
            let hole = hole.align_outwards(self.config.granule);
            spans = spans.iter().flat_map(|span| <[_; 2]>::from(span.without(&hole))).flatten().collect();
        }
        spans
    }
}

/// What a mapping points at.
pub(super) fn target(phys: &crate::PhysMap, mapping: &Mapping) -> Option<(crate::Backing, u64)> {
    phys.resolve(mapping.target()?)
}

/// Takes a mapping, of which legs mirror `bytes`, out of the domain's legs before `failed`; quarantine where that fails.
#[cold]
pub(super) fn unmap_before(domain: &Domain, legs: &mut [LegSlot], failed: usize, (span, bytes): (Span, u64)) {
    for index in &domain.legs[..failed] {
        let slot = &mut legs[*index];
        if slot.content != Content::Quarantined && slot.leg.unmap(span, bytes).is_err() {
            slot.quarantine();
        }
    }
}
