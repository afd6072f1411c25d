//! What `viommu show` tells: the state of the virtual IOMMU at one moment.
//!
//! Field names and their order are a promise to scripts that read the JSON form.

use std::collections::BTreeMap;

use data_model::{Bdf, Span};
use serde::{Deserialize, Serialize};

mod table;

/// The virtual IOMMU at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViommuReport {
    /// Feature bits that driver and device agreed on; those offered before that.
    pub features: u64,
    /// The same by name.
    #[serde(default)]
    pub feature_names: Vec<String>,
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
    /// Chains that came back unwritten, because they were no request.
    #[serde(default)]
    pub unanswered: u64,
    /// Faults told to the guest, or dropped because it gave no buffer.
    pub faults: u64,
    /// Those of them that were dropped.
    #[serde(default)]
    pub faults_dropped: u64,
    /// Calls to the host made on behalf of requests.
    pub host_calls: u64,
    /// Requests that failed because the host did.
    #[serde(default)]
    pub host_failures: u64,
    /// Time spent in calls to the host, in nanoseconds.
    #[serde(default)]
    pub host_time_ns: u64,
    /// Bytes of guest RAM that the host has pinned, summed over all mirrors: a page that two of them hold counts twice.
    #[serde(default)]
    pub pinned: u64,
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
    /// The host's group of that device.
    #[serde(default)]
    pub group: Option<u32>,
    /// Name of the leg that carries its mappings.
    pub leg: String,
    /// The domain it is attached to.
    pub domain: Option<u32>,
    /// Regions that PROBE tells.
    pub reserved: Vec<RegionReport>,
}

impl EndpointReport {
    /// The entry of a device, detached and without regions so far; `host` as in the field.
    pub fn new(bdf: Bdf, host: &str, leg: &str) -> EndpointReport {
        EndpointReport {
            id: u32::from(bdf.id()),
            bdf,
            host: host.to_owned(),
            group: None,
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
    /// Mappings one by one, by rising address, where asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<SlotReport>,
    /// The address space in runs, where asked for; of a bypass domain what its endpoints reach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<RunReport>,
}

/// One mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotReport {
    /// Addresses that endpoints use.
    #[serde(flatten)]
    pub span: Span,
    /// Guest-physical address of the first byte.
    pub phys: u64,
    /// `rw`, `r`, `w` or `none`.
    pub perm: String,
    /// No host holds it: a doorbell of interrupts, or a mapping that permits nothing.
    pub software: bool,
}

/// What a run of neighbouring mappings is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunKind {
    /// Reads only.
    R,
    /// Writes only.
    W,
    /// Both.
    Rw,
    /// Nothing is permitted.
    None,
    /// Doorbells of interrupts.
    Doorbell,
    /// Of several kinds: there were too many to tell apart.
    Mixed,
}

/// Neighbouring mappings of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReport {
    /// From the first to the last.
    #[serde(flatten)]
    pub span: Span,
    /// What they are.
    pub kind: RunKind,
    /// How many.
    pub mappings: u64,
    /// Bytes mapped; less than the length where there were too many runs to tell each hole.
    pub bytes: u64,
}

/// One mirror of a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegReport {
    /// Its name, `type1 group 3`.
    pub name: String,
    /// Mappings it should hold.
    pub mappings: u64,
    /// Mappings that the host says it holds, where the host can tell.
    pub host_mappings: Option<u64>,
    /// Blocked after a failure that could not be undone.
    pub quarantined: bool,
    /// The guest is moving its endpoints from one domain to another; some have gone, so it holds nothing.
    #[serde(default)]
    pub between: bool,
    /// Endpoints that it serves, by id: the members of one host group.
    #[serde(default)]
    pub endpoints: Vec<u32>,
    /// Bytes of guest RAM that the host has pinned for it.
    #[serde(default)]
    pub pinned: u64,
    /// Time spent in calls to the host, in nanoseconds.
    #[serde(default)]
    pub host_time_ns: u64,
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
    /// How many ended with each status, by its name; those that never came are left out.
    #[serde(default)]
    pub by_status: BTreeMap<String, u64>,
}

#[cfg(test)]
mod tests;
