//! What `viommu show` tells: the state of the virtual IOMMU at one moment.
//!
//! Field names and their order are a promise to scripts that read the JSON form.

use data_model::{Bdf, HostBdf, Span};
use serde::{Deserialize, Serialize};

mod table;

/// The virtual IOMMU at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViommuReport {
    /// Feature bits that driver and device agreed on; those offered before that.
    pub features: u64,
    /// Addresses that a domain can map.
    pub input_range: Span,
    /// Page sizes, one bit each.
    pub page_size_mask: u64,
    /// `config.bypass` as it stands.
    pub bypass: bool,
    /// All endpoints, by id.
    pub endpoints: Vec<EndpointReport>,
    /// All domains, by id.
    pub domains: Vec<DomainReport>,
    /// The mirrors of the domains.
    pub legs: Vec<LegReport>,
    /// Requests handled so far, by kind.
    pub requests: Vec<RequestReport>,
    /// Faults told to the guest, or dropped because it gave no buffer.
    pub faults: u64,
    /// Calls to the host made on behalf of requests.
    pub host_calls: u64,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointReport {
    /// Endpoint id: the requester id in the guest.
    pub id: u32,
    /// The same as a PCI address.
    #[serde(with = "crate::text")]
    pub bdf: Bdf,
    /// The host's device behind it; for an emulated device its name.
    pub host: String,
    /// Name of the leg that carries its mappings.
    pub leg: String,
    /// The domain it is attached to.
    pub domain: Option<u32>,
    /// Regions that PROBE tells.
    pub reserved: Vec<RegionReport>,
}

impl EndpointReport {
    /// The entry of an assigned device, detached and without regions so far.
    pub fn assigned(bdf: Bdf, host: HostBdf, leg: &str) -> EndpointReport {
        EndpointReport {
            id: u32::from(bdf.id()),
            bdf,
            host: host.to_string(),
            leg: leg.to_owned(),
            domain: None,
            reserved: Vec::new(),
        }
    }
}

/// What a reserved region is to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RegionKind {
    /// Holds the doorbell of message-signalled interrupts; writes there are not translated.
    Msi,
    /// Must not be used.
    Reserved,
}

/// One reserved region: `start` and `last`, both included, and its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionReport {
    /// The addresses.
    #[serde(flatten)]
    pub span: Span,
    /// What the guest is told.
    pub kind: RegionKind,
}

/// One domain and who is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainReport {
    /// Domain id, chosen by the guest.
    pub id: u32,
    /// Whether addresses pass through untranslated.
    pub bypass: bool,
    /// Endpoints attached, by id.
    pub endpoints: Vec<u32>,
    /// Live mappings.
    pub mappings: u64,
    /// Those of them that no host holds: doorbells of interrupts, and mappings that permit nothing.
    #[serde(default)]
    pub software: u64,
    /// Bytes mapped.
    pub bytes: u64,
}

/// One mirror of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegReport {
    /// Its name, `type1 group 3`.
    pub name: String,
    /// Mappings it should hold.
    pub mappings: u64,
    /// Mappings that the host says it holds, where the host can tell.
    pub host_mappings: Option<u64>,
    /// Blocked after a failure that could not be undone.
    pub quarantined: bool,
}

/// How often one kind of request came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestReport {
    /// `attach`, `detach`, `map`, `unmap`, `probe`.
    pub kind: String,
    /// Answered OK.
    pub ok: u64,
    /// Answered with another status.
    pub failed: u64,
}

#[cfg(test)]
mod tests;
