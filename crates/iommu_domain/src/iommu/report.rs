//! What the IOMMU holds, for people and scripts.

use std::time::Duration;

use data_model::Span;

use super::attach::Members;
use super::legs::Content;
use super::{Domain, Iommu};
use crate::runs::{self, Run, Slot};
use crate::{DomainId, EndpointId, Mapping, Perm, Table};

/// How much to tell of each domain besides its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// Mappings at most, from the lowest address on.
    pub slots: usize,
    /// Runs at most; 0 for none.
    pub runs: usize,
    /// Count what is pinned; 0 otherwise.
    pub pinned: bool,
}

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IommuReport {
    /// Whether endpoints in no domain bypass translation.
    pub bypass: bool,
    /// Every endpoint.
    pub endpoints: Vec<EndpointReport>,
    /// Every domain.
    pub domains: Vec<DomainReport>,
    /// Every leg.
    pub legs: Vec<LegReport>,
    /// System calls made on behalf of the guest.
    pub host_calls: u64,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointReport {
    /// Its number.
    pub id: EndpointId,
    /// Where it is.
    pub domain: Option<DomainId>,
    /// Name of the leg behind it.
    pub leg: Option<String>,
}

/// A domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainReport {
    /// Its number.
    pub id: DomainId,
    /// Whether it bypasses translation.
    pub bypass: bool,
    /// Who is in it.
    pub endpoints: Vec<EndpointId>,
    /// Mappings in its table.
    pub mappings: usize,
    /// Those of them that no host holds: doorbells, mappings that permit nothing, and those whose target is gone.
    pub software: usize,
    /// Bytes mapped.
    pub bytes: u128,
    /// Mappings one by one, as many as were asked for.
    pub slots: Vec<Slot>,
    /// The address space in runs, where asked for; of a bypass domain what its endpoints reach.
    pub runs: Vec<Run>,
}

/// A leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegReport {
    /// Its name.
    pub name: String,
    /// Mappings that it should hold.
    pub mappings: usize,
    /// Mappings that the host counts.
    pub host_mappings: Option<u64>,
    /// Bytes of guest RAM that it holds, and the host has pinned for it.
    pub pinned: u128,
    /// Time spent in system calls.
    pub host_time: Duration,
    /// Endpoints that it serves: the members of one host group.
    pub endpoints: Vec<EndpointId>,
    /// Whether it is blocked after a failure of the host.
    pub quarantined: bool,
    /// Whether the guest is moving its endpoints from one domain to another: some have gone, and it holds nothing.
    pub between: bool,
}

/// Mappings of a domain that its legs hold.
fn mirrored(domain: &Domain) -> usize {
    domain.table.len() - domain.software.len()
}

/// Its mappings by rising address, with a look at those that are software's.
fn slots(domain: &Domain) -> impl Iterator<Item = Slot> + '_ {
    let slot = |mapping: Mapping| {
        let start = mapping.iova.start();
        let software = domain.software.contains(&start);
        Slot { mapping, software, lost: software && domain.devices.contains(&start) }
    };
    domain.table.iter().map(slot)
}

/// Guest RAM as a bypass domain shows it.
fn untranslated(span: Span) -> Slot {
    let mapping = Mapping { iova: span, phys: span.start(), perm: Perm::READ_WRITE };
    Slot { mapping, software: false, lost: false }
}

impl Iommu {
    /// What a domain maps; `None` when it does not exist.
    pub fn table(&self, domain: DomainId) -> Option<&Table> {
        self.domains.get(&domain).map(|domain| &domain.table)
    }

    /// What the IOMMU holds now, in numbers.
    pub fn report(&self) -> IommuReport {
        self.report_in(Detail::default())
    }

    /// What the IOMMU holds now. Details are found by a walk over the tables, so they cost more the more is mapped.
    pub fn report_in(&self, detail: Detail) -> IommuReport {
        let endpoints = self.endpoints.iter().map(|(id, endpoint)| EndpointReport {
            id: *id,
            domain: endpoint.domain,
            leg: endpoint.leg.map(|index| self.legs[index].leg.name().to_owned()),
        });
        let domains = self.domains.iter().map(|(id, domain)| DomainReport {
            id: *id,
            bypass: domain.bypass,
            endpoints: domain.endpoints.iter().copied().collect(),
            mappings: domain.table.len(),
            software: domain.software.len(),
            bytes: domain.table.bytes(),
            slots: slots(domain).take(detail.slots).collect(),
            runs: self.runs(domain, detail.runs),
        });
        IommuReport {
            bypass: self.bypass,
            endpoints: endpoints.collect(),
            domains: domains.collect(),
            legs: (0..self.legs.len()).map(|index| self.report_leg(index, detail.pinned)).collect(),
            host_calls: self.host_calls,
        }
    }

    fn report_leg(&self, index: usize, count: bool) -> LegReport {
        let slot = &self.legs[index];
        let count = count && slot.leg.pins();
        let (mappings, pinned) = match slot.content {
            Content::Nothing | Content::Quarantined => (0, 0),
            Content::Bypass => {
                let spans = self.bypass_spans(index);
                (spans.len(), if count { spans.iter().map(Span::len_wide).sum() } else { 0 })
            }
            Content::Domain(id) => {
                let domain = self.domains.get(&id);
                (
                    domain.map_or(0, mirrored),
                    domain.filter(|_| count).map_or(0, |domain| domain.locked.into()),
                )
            }
        };
        LegReport {
            name: slot.leg.name().to_owned(),
            mappings,
            host_mappings: slot.leg.host_mappings(),
            pinned,
            host_time: slot.leg.host_time(),
            endpoints: slot.endpoints.clone(),
            quarantined: slot.content == Content::Quarantined,
            between: self.members_in(index) == Members::Between,
        }
    }

    fn runs(&self, domain: &Domain, most: usize) -> Vec<Run> {
        if most == 0 {
            return Vec::new();
        }
        match domain.legs.first().filter(|_| domain.bypass) {
            Some(leg) => runs::runs(self.bypass_spans(*leg).into_iter().map(untranslated), most),
            None => runs::runs(slots(domain), most),
        }
    }
}
