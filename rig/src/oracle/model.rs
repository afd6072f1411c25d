//! What a device must reach after a sequence of requests, worked out in the plainest way: one endpoint, a list of mappings.
//!
//! Shares nothing with the product but the words for permissions and ranges.

use data_model::Span;
use iommu_domain::{DomainId, Perm};

/// A request to the IOMMU about the one endpoint there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Maps `iova` to guest memory at `phys`, in the endpoint's domain.
    Map { iova: Span, phys: u64, perm: Perm },
    /// Unmaps in the endpoint's domain.
    Unmap(Span),
    /// Puts the endpoint into a domain, which bypasses translation or not.
    Attach(DomainId, bool),
    /// Takes it out.
    Detach,
    /// A device reset.
    Reset,
    /// Whether an endpoint in no domain bypasses translation.
    Bypass(bool),
}

/// A live mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// Addresses as the device sees them.
    pub iova: Span,
    /// Where they lead.
    pub phys: u64,
    /// What is permitted.
    pub perm: Perm,
}

/// Where the endpoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Nowhere,
    Bypassed(DomainId),
    Domain(DomainId, Vec<Live>),
}

/// The endpoint, the memory, and what must not be mapped.
#[derive(Clone, Debug)]
pub struct Model {
    ram: Span,
    input: Span,
    holes: Vec<Span>,
    bypass: bool,
    place: Place,
}

impl Model {
    /// An endpoint in no domain, which reaches nothing. `holes` are never mapped.
    pub fn new(ram: Span, input: Span, holes: Vec<Span>) -> Model {
        Model { ram, input, holes, bypass: false, place: Place::Nowhere }
    }

    /// The endpoint's domain.
    pub fn domain(&self) -> Option<DomainId> {
        match self.place {
            Place::Nowhere => None,
            Place::Bypassed(id) | Place::Domain(id, _) => Some(id),
        }
    }

    /// The mappings of its domain; none when there is no translation.
    pub fn mappings(&self) -> &[Live] {
        match &self.place {
            Place::Domain(_, list) => list,
            Place::Nowhere | Place::Bypassed(_) => &[],
        }
    }

    /// Whether the endpoint is in a domain that translates.
    pub fn translates(&self) -> bool {
        matches!(self.place, Place::Domain(..))
    }

    /// Whether an endpoint in no domain bypasses translation.
    pub fn bypass(&self) -> bool {
        self.bypass
    }

    /// Where an access at `iova` leads and what is permitted there; `None` when nowhere.
    pub fn reach(&self, iova: u64) -> Option<(u64, Perm)> {
        let untranslated = match &self.place {
            Place::Nowhere => self.bypass,
            Place::Bypassed(_) => true,
            Place::Domain(_, list) => {
                let live = list.iter().find(|live| live.iova.contains(iova))?;
                return Some((live.phys + (iova - live.iova.start()), live.perm));
            }
        };
        let reached = untranslated && self.ram.contains(iova) && !self.in_hole(iova);
        reached.then_some((iova, Perm::READ_WRITE))
    }

    /// Whether the address lies where nothing may be mapped.
    pub fn in_hole(&self, iova: u64) -> bool {
        self.holes.iter().any(|hole| hole.contains(iova))
    }

    /// Whether the device reaches all of `span` one to one.
    pub fn reaches_all(&self, span: Span, granule: u64) -> bool {
        (span.start()..=span.last())
            .step_by(granule as usize)
            .all(|page| self.reach(page) == Some((page, Perm::READ_WRITE)))
    }

    /// Carries a request out; false when it must be refused, and then nothing has changed.
    pub fn apply(&mut self, op: Op) -> bool {
        match op {
            Op::Map { iova, phys, perm } => self.map(Live { iova, phys, perm }),
            Op::Unmap(span) => self.unmap(span),
            Op::Attach(id, bypass) => self.attach(id, bypass),
            Op::Detach => {
                let was = self.domain().is_some();
                self.place = Place::Nowhere;
                was
            }
            Op::Reset => {
                self.place = Place::Nowhere;
                true
            }
            Op::Bypass(bypass) => {
                self.bypass = bypass;
                true
            }
        }
    }

    fn map(&mut self, live: Live) -> bool {
        let len = live.iova.len().unwrap_or(u64::MAX);
        let in_ram = Span::from_len(live.phys, len).is_some_and(|span| self.ram.covers(&span));
        let free = self.input.covers(&live.iova) && !self.holes.iter().any(|hole| hole.overlaps(&live.iova));
        let Place::Domain(_, list) = &mut self.place else { return false };
        if !in_ram || !free || list.iter().any(|there| there.iova.overlaps(&live.iova)) {
            return false;
        }
        list.push(live);
        true
    }

    fn unmap(&mut self, span: Span) -> bool {
        let Place::Domain(_, list) = &mut self.place else { return false };
        if list.iter().any(|live| span.overlaps(&live.iova) && !span.covers(&live.iova)) {
            return false;
        }
        list.retain(|live| !span.overlaps(&live.iova));
        true
    }

    fn attach(&mut self, id: DomainId, bypass: bool) -> bool {
        if self.domain() == Some(id) {
            return self.translates() != bypass;
        }
        self.place = if bypass { Place::Bypassed(id) } else { Place::Domain(id, Vec::new()) };
        true
    }
}

#[cfg(test)]
mod tests;
