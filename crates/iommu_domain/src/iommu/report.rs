//! What the IOMMU holds, for people and scripts.

use super::legs::Content;
use super::{Domain, Iommu};
use crate::{DomainId, EndpointId, Table};

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
    /// Those of them that no host holds: doorbells, and mappings that permit nothing.
    pub software: usize,
    /// Bytes mapped.
    pub bytes: u128,
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
    /// Whether it is blocked after a failure of the host.
    pub quarantined: bool,
}

/// Mappings of a domain that its legs hold.
fn mirrored(domain: &Domain) -> usize {
    domain.table.len() - domain.software.len()
}

impl Iommu {
    /// What a domain maps; `None` when it does not exist.
    pub fn table(&self, domain: DomainId) -> Option<&Table> {
        self.domains.get(&domain).map(|domain| &domain.table)
    }

    /// What the IOMMU holds now.
    pub fn report(&self) -> IommuReport {
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
        });
        IommuReport {
            bypass: self.bypass,
            endpoints: endpoints.collect(),
            domains: domains.collect(),
            legs: (0..self.legs.len()).map(|index| self.report_leg(index)).collect(),
            host_calls: self.host_calls,
        }
    }

    fn report_leg(&self, index: usize) -> LegReport {
        let slot = &self.legs[index];
        let mappings = match slot.content {
            Content::Nothing | Content::Quarantined => 0,
            Content::Bypass => self.bypass_spans(index).len(),
            Content::Domain(id) => self.domains.get(&id).map_or(0, mirrored),
        };
        LegReport {
            name: slot.leg.name().to_owned(),
            mappings,
            host_mappings: slot.leg.host_mappings(),
            quarantined: slot.content == Content::Quarantined,
        }
    }
}
