//! Endpoints, domains and legs, and the requests that change them.
//!
//! Invariants, true after each call, whatever failed in it:
//! - a domain lives exactly as long as an endpoint is in it, and its mappings with it;
//! - the endpoints of one leg (one host group) are in one domain, or in two while the guest moves them from the one to
//!   the other; bypass domains count as one, because they hold the same;
//! - a leg holds its domain's table, or guest RAM one to one (bypass), or nothing; a quarantined leg holds nothing, and
//!   neither does the leg of a group that is between two domains;
//! - a mapping lies inside the input range, on granules, and touches no reserved region of its domain's endpoints.

mod attach;
mod legs;
mod map;
mod memory;
mod report;
mod translate;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::Rarely;
use data_model::Span;

pub use report::{Detail, DomainReport, EndpointReport, IommuReport, LegReport};

use crate::limits::{MAX_DOMAINS, MAX_MAPPINGS};
use crate::table::MIN_GRANULE;
use crate::{DomainId, EndpointId, HostFailure, Leg, PhysMap, Table};
use attach::Members;
use legs::{Content, LegSlot};

/// What all domains have in common; fixed for the life of the machine.
#[derive(Clone, Debug)]
pub struct IommuConfig {
    /// Alignment of every mapping in bytes, a power of two, at least 1024.
    pub granule: u64,
    /// Addresses that endpoints can put on the bus. The last granule of the address space is never among them.
    pub input: Span,
    /// Whether endpoints in no domain reach guest RAM untranslated, until somebody says otherwise.
    pub bypass_at_boot: bool,
    /// Domains at most.
    pub max_domains: usize,
    /// Mappings in one domain at most.
    pub max_mappings: usize,
    /// Bytes of guest RAM that the mappings of one domain may keep in place, for legs that pin them: all of RAM at least. The
    /// host counts what all legs pin against one limit, so no device may use up the share of another. `u64::MAX`: no limit.
    pub lockable: u64,
    /// Host doorbell windows in which a mapping of the guest's own doorbell is accepted, in software only: where the
    /// guest has to map its doorbell, Linux puts it exactly there.
    pub doorbell_windows: Vec<Span>,
}

impl IommuConfig {
    /// Leaves out the granule that ends at 2^64 - 1: kernels before 6.18 map it for a device, answer its UNMAP with success,
    /// and leave it mapped.
    fn without_the_end(mut self) -> IommuConfig {
        if let Some(end) = Span::new(self.granule.wrapping_neg(), u64::MAX) {
            self.input = self.input.without(&end).0.unwrap_or(self.input);
        }
        self
    }

    /// A configuration with the house's caps, no limit to what may be locked and no doorbell windows.
    pub fn new(granule: u64, input: Span, bypass_at_boot: bool) -> IommuConfig {
        IommuConfig {
            granule: granule.max(MIN_GRANULE),
            input,
            bypass_at_boot,
            max_domains: MAX_DOMAINS,
            max_mappings: MAX_MAPPINGS,
            lockable: u64::MAX,
            doorbell_windows: Vec::new(),
        }
    }
}

/// An endpoint that the IOMMU translates for.
#[derive(Clone, Debug)]
pub struct EndpointSpec {
    /// Its number.
    pub id: EndpointId,
    /// Index of the leg behind it; `None` for an emulated device, which asks [`Iommu::translate`].
    pub leg: Option<usize>,
    /// Regions that no mapping of its domain may touch.
    pub reserved: Vec<Span>,
}

struct Endpoint {
    leg: Option<usize>,
    reserved: Vec<Span>,
    domain: Option<DomainId>,
}

#[derive(Default)]
struct Domain {
    bypass: bool,
    table: Table,
    /// First addresses of mappings that no leg mirrors: few.
    software: BTreeSet<u64>,
    /// First addresses of mappings whose target is, or was, a device's memory: few.
    devices: BTreeSet<u64>,
    /// Bytes of guest RAM that each leg of it holds: a page counts once for each mapping, as the host counts it.
    locked: u64,
    endpoints: BTreeSet<EndpointId>,
    /// Legs that mirror it, each once: those of its endpoints, without the legs of groups that are between two domains.
    legs: Vec<usize>,
    /// Reserved regions of its endpoints, sorted, each once.
    reserved: Vec<Span>,
}

/// A virtual IOMMU without its transport.
pub struct Iommu {
    config: IommuConfig,
    phys: Arc<PhysMap>,
    endpoints: BTreeMap<EndpointId, Endpoint>,
    domains: BTreeMap<DomainId, Domain>,
    legs: Vec<LegSlot>,
    bypass: bool,
    can_bypass: bool,
    host_calls: u64,
    /// Times that mappings have lost their targets.
    lost: Rarely,
    /// Failures that no request was answered with.
    untold: Rarely,
}

impl Iommu {
    /// An IOMMU with these endpoints in no domain. `legs` are empty, and endpoints name them by index; an index beyond
    /// the end counts as no leg.
    pub fn new(
        config: IommuConfig,
        phys: Arc<PhysMap>,
        legs: Vec<Box<dyn Leg>>,
        endpoints: Vec<EndpointSpec>,
    ) -> Iommu {
        let mut slots: Vec<_> = legs.into_iter().map(LegSlot::new).collect();
        let mut known = BTreeMap::new();
        for spec in endpoints {
            let leg = spec.leg.filter(|index| *index < slots.len());
            if let Some(slot) = leg.and_then(|index| slots.get_mut(index)) {
                slot.endpoints.push(spec.id);
            }
            known.insert(spec.id, Endpoint { leg, reserved: spec.reserved, domain: None });
        }
        let config = config.without_the_end();
        let can_bypass = phys.ram().iter().all(|ram| config.input.covers(ram));
        let bypass = config.bypass_at_boot && can_bypass;
        let mut iommu = Iommu {
            config,
            phys,
            endpoints: known,
            domains: BTreeMap::new(),
            legs: slots,
            bypass,
            can_bypass,
            host_calls: 0,
            lost: Rarely::default(),
            untold: Rarely::default(),
        };
        iommu.settle_all();
        iommu
    }

    /// The fixed part; its input range may end a granule before the one that was asked for.
    pub fn config(&self) -> &IommuConfig {
        &self.config
    }

    /// Whether endpoints in no domain reach guest RAM untranslated.
    pub fn bypass(&self) -> bool {
        self.bypass
    }

    /// Whether there can be bypass at all: only where all guest RAM lies in the input range, or devices would reach a part of
    /// it and nobody would know.
    pub fn can_bypass(&self) -> bool {
        self.can_bypass
    }

    /// Changes bypass; takes effect on every endpoint in no domain before it returns (C6). A leg that cannot follow is
    /// quarantined. Where there can be none it stays off.
    pub fn set_bypass(&mut self, bypass: bool) {
        self.bypass = bypass && self.can_bypass;
        self.settle_all();
    }

    /// A device reset: no endpoint is in a domain any more, no domain is left (C7); `bypass` stays (C3). Quarantined
    /// legs get another chance.
    pub fn reset(&mut self) {
        self.domains.clear();
        for endpoint in self.endpoints.values_mut() {
            endpoint.domain = None;
        }
        for slot in &mut self.legs {
            slot.pardon();
        }
        self.settle_all();
    }

    /// A reset of the machine: also `bypass` goes back to what it was at boot (C3).
    pub fn system_reset(&mut self) {
        self.bypass = self.config.bypass_at_boot && self.can_bypass;
        self.reset();
    }

    /// Whether this endpoint exists.
    pub fn has_endpoint(&self, id: EndpointId) -> bool {
        self.endpoints.contains_key(&id)
    }

    /// Brings every leg to what it should hold; failures end in quarantine.
    fn settle_all(&mut self) {
        for index in 0..self.legs.len() {
            if let Err(failure) = self.settle_or_block(index) {
                self.tell(&failure);
            }
        }
    }

    /// Tells the log of a failure that no answer tells. A guest can repeat what fails for ever.
    fn tell(&mut self, failure: &HostFailure) {
        if let Some(count) = self.untold.count() {
            log::error!("{failure} (failure {count} that no request was answered with)");
        }
    }

    /// What the leg should hold, by where its endpoints are.
    fn wanted(&self, leg: usize) -> Content {
        match self.members_in(leg) {
            Members::Nowhere if self.bypass => Content::Bypass,
            Members::Nowhere | Members::Between => Content::Nothing,
            Members::Together(content) => content,
        }
    }
}

#[cfg(test)]
mod tests;
