//! Endpoints entering and leaving domains.
//!
//! The hardware cannot tell the members of a host group apart, and a guest moves them one at a time: Linux takes no member
//! out of its domain before it has put all into the next. From the first ATTACH to the last the group is *between* two
//! domains. Its leg holds nothing then: neither the union of the two, nor the old table for a member that has left, nor the
//! new one for a member that has not come. The tables change meanwhile as they like.

use std::collections::BTreeSet;

use super::legs::Content;
use super::{Domain, Iommu};
use crate::{DomainId, EndpointId, Mapping, Refusal};

/// Where the members of a host group are that are in a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Members {
    /// None is in a domain.
    Nowhere,
    /// All are where this is held.
    Together(Content),
    /// In domains that hold different things.
    Between,
}

impl Iommu {
    /// Puts `endpoint` into `domain`, which is made when it does not exist; out of its old one first (A6). While other
    /// members of its group are still in the old one, the group reaches nothing. When the host refuses, the endpoint is
    /// where it was; after a refusal to the last member the group stays between the two domains, and reaches nothing.
    pub fn attach(&mut self, endpoint: EndpointId, domain: DomainId, bypass: bool) -> Result<(), Refusal> {
        let old = self.endpoints.get(&endpoint).ok_or(Refusal::NoEndpoint(endpoint))?.domain; // A3
        if bypass && !self.can_bypass {
            return Err(Refusal::NoBypass);
        }
        self.check_domain(domain, bypass)?; // A5, before anything changes
        if old == Some(domain) {
            return Ok(()); // A10: nothing to do, and nothing to lose
        }
        self.check_group(endpoint, domain, bypass)?; // A4
        self.check_compatible(endpoint, domain)?; // A7
        self.check_locked(endpoint, domain)?;
        self.domains.entry(domain).or_default().bypass = bypass;
        self.place(endpoint, Some(domain));
        let leg = self.endpoints.get(&endpoint).and_then(|known| known.leg);
        let settled = leg.map_or(Ok(()), |index| self.settle(index));
        if let Err(failure) = settled {
            self.place(endpoint, old);
            self.drop_if_deserted(domain);
            if let Some(index) = leg
                && let Err(second) = self.settle_or_block(index)
            {
                self.tell(&second);
            }
            return Err(failure.into());
        }
        if let Some(old) = old {
            self.drop_if_deserted(old); // D5
        }
        Ok(())
    }

    /// Takes `endpoint` out of `domain`. Afterwards it reaches no mapping of that domain (D4).
    pub fn detach(&mut self, endpoint: EndpointId, domain: DomainId) -> Result<(), Refusal> {
        let known = self.endpoints.get(&endpoint).ok_or(Refusal::NoEndpoint(endpoint))?; // D2
        if known.domain != Some(domain) {
            return Err(Refusal::NotInDomain { endpoint, domain }); // D3
        }
        let leg = known.leg;
        self.place(endpoint, None);
        let settled = leg.map_or(Ok(()), |index| self.settle_or_block(index));
        self.drop_if_deserted(domain); // D5
        Ok(settled?)
    }

    fn check_domain(&self, id: DomainId, bypass: bool) -> Result<(), Refusal> {
        match self.domains.get(&id) {
            Some(domain) if domain.bypass != bypass => Err(Refusal::BypassMismatch(id)),
            Some(_) => Ok(()),
            None if self.domains.len() >= self.config.max_domains => {
                Err(Refusal::TooMany { what: "domains", cap: self.config.max_domains })
            }
            None => Ok(()),
        }
    }

    /// The other members of the group are where the endpoint goes, or where it comes from: then the group is on its way,
    /// there or back. A third domain would be one too many.
    fn check_group(&self, endpoint: EndpointId, domain: DomainId, bypass: bool) -> Result<(), Refusal> {
        let Some(known) = self.endpoints.get(&endpoint) else { return Ok(()) };
        let new = if bypass { Content::Bypass } else { Content::Domain(domain) };
        let old = known.domain.map(|id| self.held_in(id));
        let elsewhere = self
            .mates(endpoint)
            .iter()
            .filter(|id| **id != endpoint)
            .filter_map(|id| self.endpoints.get(id)?.domain)
            .find(|there| {
                let there = self.held_in(*there);
                there != new && Some(there) != old
            });
        elsewhere.map_or(Ok(()), |domain| Err(Refusal::GroupElsewhere { endpoint, domain }))
    }

    /// All members of the endpoint's host group, itself among them; nobody where there is no leg.
    fn mates(&self, endpoint: EndpointId) -> &[EndpointId] {
        let leg = self.endpoints.get(&endpoint).and_then(|known| known.leg);
        leg.map(|index| self.legs[index].endpoints.as_slice()).unwrap_or_default()
    }

    /// What a leg holds whose endpoints are in this domain.
    fn held_in(&self, id: DomainId) -> Content {
        match self.domains.get(&id) {
            Some(domain) if domain.bypass => Content::Bypass,
            _ => Content::Domain(id),
        }
    }

    /// Where the endpoints of a leg are.
    pub(super) fn members_in(&self, leg: usize) -> Members {
        let endpoints = self.legs[leg].endpoints.iter();
        let mut contents =
            endpoints.filter_map(|id| self.endpoints.get(id)?.domain).map(|id| self.held_in(id));
        match contents.next() {
            None => Members::Nowhere,
            Some(first) if contents.all(|content| content == first) => Members::Together(first),
            Some(_) => Members::Between,
        }
    }

    /// A domain cannot take an endpoint that must not use what is mapped already.
    fn check_compatible(&self, endpoint: EndpointId, id: DomainId) -> Result<(), Refusal> {
        let (Some(known), Some(domain)) = (self.endpoints.get(&endpoint), self.domains.get(&id)) else {
            return Ok(());
        };
        for reserved in &known.reserved {
            let in_the_way = |mapping: &Mapping| !self.is_doorbell(mapping);
            if let Some(mapping) = domain.table.touching(*reserved).find(in_the_way) {
                let (mapped, reserved) = (mapping.iova, *reserved);
                return Err(Refusal::Incompatible { endpoint, domain: id, mapped, reserved });
            }
        }
        Ok(())
    }

    /// A domain that was filled while nothing of it was pinned may be too much for a leg that pins.
    fn check_locked(&self, endpoint: EndpointId, id: DomainId) -> Result<(), Refusal> {
        let leg = self.endpoints.get(&endpoint).and_then(|known| known.leg);
        let pins = leg.is_some_and(|index| self.legs[index].leg.pins());
        let too_much = |domain: &&Domain| domain.locked > self.config.lockable;
        match self.domains.get(&id).filter(too_much) {
            Some(_) if pins => Err(Refusal::Locked { domain: id, cap: self.config.lockable }),
            _ => Ok(()),
        }
    }

    /// Books an endpoint into a domain, or into none, without touching a leg.
    fn place(&mut self, endpoint: EndpointId, domain: Option<DomainId>) {
        let Some(known) = self.endpoints.get_mut(&endpoint) else { return };
        let old = std::mem::replace(&mut known.domain, domain);
        if let Some(left) = old.and_then(|id| self.domains.get_mut(&id)) {
            left.endpoints.remove(&endpoint);
        }
        if let Some(new) = domain {
            self.domains.entry(new).or_default().endpoints.insert(endpoint);
        }
        // Whether the other members are between two domains changes with this one.
        let mates = self.mates(endpoint).iter().filter_map(|id| self.endpoints.get(id)?.domain);
        let changed: BTreeSet<DomainId> = mates.chain(old).chain(domain).collect();
        changed.into_iter().for_each(|id| self.refresh_members(id));
    }

    /// Legs and reserved regions of a domain follow from who is in it.
    fn refresh_members(&mut self, id: DomainId) {
        let Some(domain) = self.domains.get(&id) else { return };
        let members = || domain.endpoints.iter().filter_map(|id| self.endpoints.get(id));
        let mut legs: Vec<_> = members().filter_map(|endpoint| endpoint.leg).collect();
        let mut reserved: Vec<_> = members().flat_map(|endpoint| endpoint.reserved.iter().copied()).collect();
        legs.sort_unstable();
        legs.dedup();
        legs.retain(|index| self.members_in(*index) != Members::Between);
        reserved.sort_unstable();
        reserved.dedup();
        if let Some(domain) = self.domains.get_mut(&id) {
            (domain.legs, domain.reserved) = (legs, reserved);
        }
    }

    fn drop_if_deserted(&mut self, id: DomainId) {
        if self.domains.get(&id).is_some_and(|domain: &Domain| domain.endpoints.is_empty()) {
            self.domains.remove(&id);
        }
    }
}
