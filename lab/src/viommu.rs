//! What `mixvm viommu show --json` says about a running virtual IOMMU.

use serde::{Deserialize, Serialize};

/// A range of addresses, both ends included.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Range {
    /// First address.
    pub start: u64,
    /// Last address.
    pub last: u64,
}

/// The whole answer. Fields that this lab does not know are ignored.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Viommu {
    /// Virtio feature bits.
    pub features: u64,
    /// Addresses that can be mapped.
    pub input_range: Range,
    /// Mapping granules, one bit each.
    pub page_size_mask: u64,
    /// Whether endpoints without a domain reach all of memory.
    pub bypass: bool,
    /// The devices behind it.
    pub endpoints: Vec<Endpoint>,
    /// The guest's domains.
    pub domains: Vec<Domain>,
    /// The host side of each group.
    pub legs: Vec<Leg>,
    /// Requests served, by kind.
    pub requests: Vec<Requests>,
    /// Faults reported to the guest.
    #[serde(default)]
    pub faults: u64,
    /// Calls made into the host's kernel.
    #[serde(default)]
    pub host_calls: u64,
    /// Bytes of guest RAM that the host's kernel has pinned.
    #[serde(default)]
    pub pinned: u64,
}

/// A device behind the virtual IOMMU.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Endpoint {
    /// Endpoint id.
    pub id: u64,
    /// Address on the guest's PCI bus.
    pub bdf: String,
    /// Address on the host's PCI bus.
    pub host: Option<String>,
    /// The leg that mirrors its domain.
    pub leg: Option<String>,
    /// The domain that it is attached to.
    pub domain: Option<u64>,
    /// Regions published by PROBE.
    pub reserved: Vec<Reserved>,
}

/// A region that the guest must not map.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Reserved {
    /// First address.
    pub start: u64,
    /// Last address.
    pub last: u64,
    /// `msi` or `reserved`.
    pub kind: String,
}

/// A domain of the guest.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Domain {
    /// Domain id.
    pub id: u64,
    /// Whether it maps all of memory one to one.
    #[serde(default)]
    pub bypass: bool,
    /// Endpoint ids attached to it.
    pub endpoints: Vec<u64>,
    /// Live mappings.
    pub mappings: u64,
    /// Those of them that are in no container of the host.
    #[serde(default)]
    pub software: u64,
    /// Bytes mapped.
    #[serde(default)]
    pub bytes: u64,
    /// Mappings one by one, where asked for.
    #[serde(default)]
    pub slots: Vec<serde_json::Value>,
}

/// The host side of a group.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Leg {
    /// Its name, such as `type1 group 3`.
    pub name: String,
    /// Live mappings that the VMM has made.
    pub mappings: u64,
    /// Live mappings that the kernel counts; absent where it cannot tell.
    pub host_mappings: Option<u64>,
    /// Whether the leg is blocked because an undo failed.
    #[serde(default)]
    pub quarantined: bool,
}

/// Requests of one kind.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Requests {
    /// The kind, such as `map`.
    pub kind: String,
    /// How many were answered OK.
    pub ok: u64,
    /// How many were not.
    pub failed: u64,
}

impl Viommu {
    /// Where the guest's tables and the host's differ; empty when all are equal.
    pub fn differences(&self) -> Vec<String> {
        let mut differences = Vec::new();
        for leg in &self.legs {
            if leg.quarantined {
                differences.push(format!("{} is quarantined", leg.name));
            }
            if let Some(host) = leg.host_mappings.filter(|host| *host != leg.mappings) {
                differences
                    .push(format!("{}: {} mappings made, {host} in the kernel", leg.name, leg.mappings));
            }
            let translated = self.domain_of(&leg.name).filter(|domain| !domain.bypass);
            if let Some(Domain { id, mappings, software, .. }) =
                translated.filter(|domain| domain.mappings != leg.mappings + domain.software)
            {
                let (name, made) = (&leg.name, leg.mappings);
                differences.push(format!(
                    "domain {id} has {mappings} mappings, {software} of them in software; {name} has {made}"
                ));
            }
        }
        differences
    }

    fn domain_of(&self, leg: &str) -> Option<&Domain> {
        let attached = self.endpoints.iter().filter(|endpoint| endpoint.leg.as_deref() == Some(leg));
        let id = attached.filter_map(|endpoint| endpoint.domain).next()?;
        self.domains.iter().find(|domain| domain.id == id)
    }
}

#[cfg(test)]
pub(crate) mod tests;
