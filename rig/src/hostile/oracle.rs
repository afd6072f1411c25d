//! What the device must answer, by the driver's own books. It shares nothing with the device but the types of the wire
//! format; the order of its checks is the one that the device documents.
//!
//! It holds for endpoints that are each alone in their group, and for targets that are either wholly in the driver's own
//! memory or wholly in none.

use std::collections::BTreeMap;

use virtio_iommu_spec::{ATTACH_F_BYPASS, MAP_F_MMIO, MAP_F_READ, MAP_F_WRITE, Request, Status};

/// Both ends, inclusive.
pub type Range = (u64, u64);

/// A device behind the IOMMU.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub id: u32,
    /// What PROBE says that it cannot map.
    pub reserved: Vec<Range>,
    domain: Option<u32>,
}

impl Endpoint {
    /// In no domain.
    pub fn new(id: u32, reserved: Vec<Range>) -> Endpoint {
        Endpoint { id, reserved, domain: None }
    }
}

#[derive(Clone, Debug, Default)]
struct Domain {
    bypass: bool,
    mapped: Vec<Range>,
}

/// The driver's books.
#[derive(Clone, Debug)]
pub struct Oracle {
    pub granule: u64,
    pub input: Range,
    /// Memory that may be a target.
    pub memory: Range,
    pub endpoints: Vec<Endpoint>,
    domains: BTreeMap<u32, Domain>,
}

fn overlap(a: Range, b: Range) -> bool {
    a.0 <= b.1 && b.0 <= a.1
}

impl Oracle {
    /// Endpoints in no domain.
    pub fn new(granule: u64, input: Range, memory: Range, endpoints: Vec<Endpoint>) -> Oracle {
        Oracle { granule, input, memory, endpoints, domains: BTreeMap::new() }
    }

    /// Mappings of all domains.
    pub fn mappings(&self) -> usize {
        self.domains.values().map(|domain| domain.mapped.len()).sum()
    }

    /// After a reset of the device.
    pub fn reset(&mut self) {
        self.domains.clear();
        self.endpoints.iter_mut().for_each(|endpoint| endpoint.domain = None);
    }

    /// The answer to a request, whose effect is written into the books.
    pub fn answer(&mut self, request: &Request) -> Status {
        let outcome = match *request {
            Request::Attach { domain, endpoint, flags, reserved } => {
                self.attach(domain, endpoint, flags, reserved)
            }
            Request::Detach { domain, endpoint } => self.detach(domain, endpoint),
            Request::Map { domain, virt_start, virt_end, phys_start, flags } => {
                self.map(domain, (virt_start, virt_end), phys_start, flags)
            }
            Request::Unmap { domain, virt_start, virt_end, reserved } => {
                self.unmap(domain, (virt_start, virt_end), reserved)
            }
            Request::Probe { endpoint } => self.endpoint(endpoint).map(drop),
        };
        outcome.err().unwrap_or(Status::Ok)
    }

    fn endpoint(&self, id: u32) -> Result<usize, Status> {
        self.endpoints.iter().position(|endpoint| endpoint.id == id).ok_or(Status::NoEnt)
    }

    fn attach(&mut self, id: u32, endpoint: u32, flags: u32, reserved: u32) -> Result<(), Status> {
        if reserved != 0 || flags & !ATTACH_F_BYPASS != 0 {
            return Err(Status::Inval);
        }
        let at = self.endpoint(endpoint)?;
        let bypass = flags == ATTACH_F_BYPASS;
        if let Some(domain) = self.domains.get(&id) {
            if domain.bypass != bypass {
                return Err(Status::Inval);
            }
            let hit = |region| domain.mapped.iter().any(|range| overlap(*range, region));
            if self.endpoints[at].domain != Some(id) && self.endpoints[at].reserved.iter().any(|r| hit(*r)) {
                return Err(Status::Unsupp);
            }
        }
        self.domains.entry(id).or_insert(Domain { bypass, mapped: Vec::new() });
        self.put(at, Some(id));
        Ok(())
    }

    fn detach(&mut self, id: u32, endpoint: u32) -> Result<(), Status> {
        let at = self.endpoint(endpoint)?;
        if self.endpoints[at].domain != Some(id) {
            return Err(Status::Inval);
        }
        self.put(at, None);
        Ok(())
    }

    /// A domain that nobody is in ends.
    fn put(&mut self, at: usize, domain: Option<u32>) {
        self.endpoints[at].domain = domain;
        let endpoints = &self.endpoints;
        self.domains.retain(|id, _| endpoints.iter().any(|endpoint| endpoint.domain == Some(*id)));
    }

    fn map(&mut self, id: u32, range: Range, target: u64, flags: u32) -> Result<(), Status> {
        if flags & !(MAP_F_READ | MAP_F_WRITE | MAP_F_MMIO) != 0 {
            return Err(Status::Inval);
        }
        let mask = self.granule - 1;
        let aligned = range.0 & mask == 0 && range.1 & mask == mask && target & mask == 0;
        if range.1 < range.0 || range.0 < self.input.0 || range.1 > self.input.1 || !aligned {
            return Err(Status::Range);
        }
        let memory = self.memory;
        let members: Vec<_> = self.endpoints.iter().filter(|endpoint| endpoint.domain == Some(id)).collect();
        let domain = self.domains.get(&id).ok_or(Status::NoEnt)?;
        if domain.bypass {
            return Err(Status::Inval);
        }
        let last = target.checked_add(range.1 - range.0).ok_or(Status::Fault)?;
        if target < memory.0 || last > memory.1 {
            return Err(Status::Fault);
        }
        let reserved = members.iter().flat_map(|endpoint| &endpoint.reserved);
        if reserved.chain(&domain.mapped).any(|other| overlap(*other, range)) {
            return Err(Status::Inval);
        }
        self.domains.get_mut(&id).ok_or(Status::NoEnt)?.mapped.push(range);
        Ok(())
    }

    fn unmap(&mut self, id: u32, range: Range, reserved: u32) -> Result<(), Status> {
        if reserved != 0 {
            return Err(Status::Inval);
        }
        if range.1 < range.0 {
            return Err(Status::Range);
        }
        let domain = self.domains.get_mut(&id).ok_or(Status::NoEnt)?;
        if domain.bypass {
            return Err(Status::Inval);
        }
        let cut = |mapped: &Range| overlap(*mapped, range) && (mapped.0 < range.0 || mapped.1 > range.1);
        if domain.mapped.iter().any(cut) {
            return Err(Status::Range);
        }
        domain.mapped.retain(|mapped| !overlap(*mapped, range));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
