//! A model of the device as one would explain it: lists, loops, and no cleverness. It shares nothing with the product but
//! the types of the wire format; the order of its checks is the one that the device documents.

use virtio_iommu_spec::{Request, Status};

use super::op::Op;
use crate::world::{DOORBELL, ENDPOINTS, GROUPS, Rules, WINDOW};

/// A mapping: both ends, the target, and what it permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// First address.
    pub first: u64,
    /// Last address.
    pub last: u64,
    /// Guest-physical address of the first byte.
    pub phys: u64,
    /// Reads are allowed.
    pub read: bool,
    /// Writes are allowed.
    pub write: bool,
}

/// A domain.
#[derive(Clone, Debug)]
pub struct Domain {
    /// Its number.
    pub id: u32,
    /// Its kind.
    pub bypass: bool,
    /// Its mappings, by rising address.
    pub entries: Vec<Entry>,
}

/// Where the members of a host group are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In no domain, all of them.
    Nowhere,
    /// Those that are anywhere are in this one, which translates.
    Domain(u32),
    /// In domains that bypass.
    Bypass,
    /// In domains that differ: a guest is moving them.
    Between,
}

/// The device as the specification has it.
pub struct Naive<'a> {
    rules: &'a Rules,
    regions: &'a [(u64, u64, u64)],
    /// Where each endpoint is, in the order of [`ENDPOINTS`].
    pub places: [Option<u32>; 4],
    /// Domains alive.
    pub domains: Vec<Domain>,
    /// `bypass` of the configuration.
    pub bypass: bool,
    /// Features negotiated.
    pub features: u64,
    /// Groups that the device keeps blocked after a failure of the host.
    pub blocked: [bool; GROUPS],
}

fn overlap(a: (u64, u64), b: (u64, u64)) -> bool {
    a.0 <= b.1 && b.0 <= a.1
}

impl<'a> Naive<'a> {
    /// After boot; `regions` are guest RAM.
    pub fn new(rules: &'a Rules, regions: &'a [(u64, u64, u64)], features: u64) -> Naive<'a> {
        Naive {
            rules,
            regions,
            places: [None; 4],
            domains: Vec::new(),
            bypass: rules.bypass && rules.can_bypass(),
            features,
            blocked: [false; GROUPS],
        }
    }

    /// Does what `op` asks for. The answer must be `answered`; where the host may have failed (`may_fail`), a failure of
    /// it is right too. The error says what the answer should have been.
    pub fn apply(&mut self, op: &Op, answered: Option<Status>, may_fail: bool) -> Result<(), Option<Status>> {
        let expected = match op {
            Op::Request(request) => self.verdict(request),
            Op::Garbage(..) => None,
            Op::Bypass(value) => {
                if *value < 2 && self.features & (1 << 6) != 0 && self.rules.can_bypass() {
                    self.bypass = *value == 1;
                }
                None
            }
            Op::Reset(features) => {
                (self.places, self.features) = ([None; 4], *features);
                self.domains.clear();
                None
            }
            Op::SystemReset(features) => {
                (self.places, self.features) = ([None; 4], *features);
                self.bypass = self.rules.bypass && self.rules.can_bypass();
                self.domains.clear();
                None
            }
        };
        let failed = matches!(answered, Some(Status::DevErr | Status::NoMem));
        // A host that has no room may fail in another way first.
        let host_asked = matches!(expected, Some(Status::Ok | Status::NoMem));
        let host_failed = host_asked && may_fail && failed;
        if answered != expected && !host_failed {
            return Err(expected);
        }
        if let Op::Request(request) = op {
            let detaches = matches!(request, Request::Detach { .. });
            match expected {
                Some(Status::Ok) => self.carry_out(request, host_failed),
                // It leaves all the same, and nobody can be told "no": the others are blocked.
                Some(Status::NoMem) if detaches => self.carry_out(request, true),
                _ => {}
            }
        }
        Ok(())
    }

    /// The answer that a request must get, were the host never to fail but for want of room.
    fn verdict(&self, request: &Request) -> Option<Status> {
        match *request {
            Request::Attach { domain, endpoint, flags, reserved } => {
                Some(self.attach(domain, endpoint, flags, reserved))
            }
            Request::Detach { domain, endpoint } => Some(self.detach(domain, endpoint)),
            Request::Map { domain, virt_start, virt_end, phys_start, flags } => {
                Some(self.map(domain, (virt_start, virt_end), phys_start, flags))
            }
            Request::Unmap { domain, virt_start, virt_end, reserved } => {
                Some(self.unmap(domain, (virt_start, virt_end), reserved))
            }
            Request::Probe { .. } if self.features & (1 << 4) == 0 => None,
            Request::Probe { endpoint } => {
                Some(if self.index(endpoint).is_some() { Status::Ok } else { Status::NoEnt })
            }
        }
    }

    fn index(&self, endpoint: u32) -> Option<usize> {
        ENDPOINTS.iter().position(|(id, _)| *id == endpoint)
    }

    /// A domain by number.
    pub fn domain(&self, id: u32) -> Option<&Domain> {
        self.domains.iter().find(|domain| domain.id == id)
    }

    fn attach(&self, id: u32, endpoint: u32, flags: u32, reserved: u32) -> Status {
        let known = if self.features & (1 << 6) != 0 { 1 } else { 0 };
        if reserved != 0 || flags & !known != 0 {
            return Status::Inval;
        }
        let Some(at) = self.index(endpoint) else { return Status::NoEnt };
        if flags == 1 && !self.rules.can_bypass() {
            return Status::Unsupp;
        }
        match self.domain(id) {
            Some(domain) if domain.bypass != (flags == 1) => return Status::Inval,
            None if self.domains.len() >= self.rules.max_domains => return Status::NoMem,
            _ => {}
        }
        if self.places[at] == Some(id) {
            return Status::Ok;
        }
        // A group moves one by one: the others are where this one goes, or where it comes from. Bypass is one place.
        let group = self.rules.group(endpoint);
        let bypass = |there: u32| self.domain(there).is_some_and(|domain| domain.bypass);
        let alike = |there: u32, bypasses: bool, id: u32| there == id || (bypass(there) && bypasses);
        let mut complete = true;
        for (other, (mate, _)) in ENDPOINTS.iter().enumerate() {
            let same = group.is_some() && self.rules.group(*mate) == group;
            let Some(there) = self.places[other].filter(|_| other != at && same) else { continue };
            let joins = alike(there, flags == 1, id);
            if !joins && !self.places[at].is_some_and(|old| alike(there, bypass(old), old)) {
                return Status::Unsupp;
            }
            complete &= joins;
        }
        let Some(domain) = self.domain(id) else { return Status::Ok };
        for region in self.rules.reserved(endpoint) {
            for entry in &domain.entries {
                if overlap((entry.first, entry.last), region) && !self.is_doorbell(entry) {
                    return Status::Unsupp;
                }
            }
        }
        // The container of the group must take all the mappings, unless it has them already, or gets nothing yet because
        // a part of the group is elsewhere.
        let has = group.is_some_and(|at| self.group_place(group) == Place::Domain(id) && !self.blocked[at]);
        if group.is_some() && complete && !has && self.is_too_much(domain) {
            return Status::NoMem;
        }
        Status::Ok
    }

    /// Whether a domain has more mappings than a container takes.
    fn is_too_much(&self, domain: &Domain) -> bool {
        let mirrored = domain.entries.iter().filter(|entry| self.is_mirrored(entry)).count();
        mirrored > self.rules.entries as usize
    }

    /// A DETACH may bring the rest of a group together, in a domain that grew while no container held it.
    fn detach(&self, id: u32, endpoint: u32) -> Status {
        let Some(at) = self.index(endpoint) else { return Status::NoEnt };
        if self.places[at] != Some(id) {
            return Status::Inval;
        }
        if self.is_blocked_by_detach(endpoint) { Status::NoMem } else { Status::Ok }
    }

    /// Whether the group's container cannot take what the others of the group share when this one has gone.
    fn is_blocked_by_detach(&self, endpoint: u32) -> bool {
        let (Some(at), Some(group)) = (self.index(endpoint), self.rules.group(endpoint)) else {
            return false;
        };
        let mut after = self.places;
        after[at] = None;
        let Place::Domain(id) = self.place_of(&after, Some(group)) else { return false };
        let has = self.group_place(Some(group)) == Place::Domain(id) && !self.blocked[group];
        !has && self.domain(id).is_some_and(|domain| self.is_too_much(domain))
    }

    fn map(&self, id: u32, (first, last): (u64, u64), phys: u64, flags: u32) -> Status {
        if self.features & (1 << 2) == 0 {
            return Status::Unsupp;
        }
        let known = if self.features & (1 << 5) != 0 { 7 } else { 3 };
        if flags & !known != 0 {
            return Status::Inval;
        }
        let granule = self.rules.granule;
        if last < first || first < self.rules.input.0 || last > self.rules.last() {
            return Status::Range;
        }
        if first % granule != 0 || last % granule != granule - 1 || !phys.is_multiple_of(granule) {
            return Status::Range;
        }
        let Some(domain) = self.domain(id) else { return Status::NoEnt };
        if domain.bypass {
            return Status::Inval;
        }
        let entry = Entry { first, last, phys, read: flags & 1 != 0, write: flags & 2 != 0 };
        let backed = self.backing(&entry).is_some() || self.targets_doorbell(&entry);
        if !backed {
            return Status::Fault;
        }
        for (at, (endpoint, _)) in ENDPOINTS.iter().enumerate() {
            let member = self.places[at] == Some(id);
            let hit = self.rules.reserved(*endpoint).iter().any(|region| overlap((first, last), *region));
            if member && hit && !self.is_doorbell(&entry) {
                return Status::Inval;
            }
        }
        if domain.entries.len() >= self.rules.max_mappings {
            return Status::NoMem;
        }
        if domain.entries.iter().any(|there| overlap((there.first, there.last), (first, last))) {
            return Status::Inval;
        }
        let mirrored = domain.entries.iter().filter(|there| self.is_mirrored(there)).count();
        let has_leg =
            (0..GROUPS).any(|at| self.group_place(Some(at)) == Place::Domain(id) && !self.blocked[at]);
        if has_leg && self.is_mirrored(&entry) && mirrored >= self.rules.entries as usize {
            return Status::NoMem;
        }
        Status::Ok
    }

    fn unmap(&self, id: u32, (first, last): (u64, u64), reserved: u32) -> Status {
        if self.features & (1 << 2) == 0 {
            return Status::Unsupp;
        }
        if reserved != 0 {
            return Status::Inval;
        }
        if last < first {
            return Status::Range;
        }
        let Some(domain) = self.domain(id) else { return Status::NoEnt };
        if domain.bypass {
            return Status::Inval;
        }
        for entry in &domain.entries {
            let touched = overlap((entry.first, entry.last), (first, last));
            if touched && (entry.first < first || entry.last > last) {
                return Status::Range;
            }
        }
        Status::Ok
    }

    /// Changes what the request changes. Where the host failed, an ATTACH and a MAP change nothing, and a DETACH and an
    /// UNMAP all the same what they are to.
    fn carry_out(&mut self, request: &Request, host_failed: bool) {
        match *request {
            Request::Attach { domain, endpoint, flags, .. } if !host_failed => {
                if self.domain(domain).is_none() {
                    self.domains.push(Domain { id: domain, bypass: flags == 1, entries: Vec::new() });
                }
                self.put(endpoint, Some(domain));
            }
            Request::Detach { endpoint, .. } => {
                let blocks = self.is_blocked_by_detach(endpoint);
                self.put(endpoint, None);
                if let Some(group) = self.rules.group(endpoint).filter(|_| blocks) {
                    self.blocked[group] = true;
                }
            }
            Request::Map { domain, virt_start, virt_end, phys_start, flags } if !host_failed => {
                let entry = Entry {
                    first: virt_start,
                    last: virt_end,
                    phys: phys_start,
                    read: flags & 1 != 0,
                    write: flags & 2 != 0,
                };
                if let Some(domain) = self.domains.iter_mut().find(|there| there.id == domain) {
                    let at = domain.entries.iter().position(|there| there.first > entry.first);
                    domain.entries.insert(at.unwrap_or(domain.entries.len()), entry);
                }
            }
            Request::Unmap { domain, virt_start, virt_end, .. } => {
                if let Some(domain) = self.domains.iter_mut().find(|there| there.id == domain) {
                    domain.entries.retain(|entry| entry.last < virt_start || entry.first > virt_end);
                }
            }
            _ => {}
        }
    }

    /// Puts an endpoint somewhere; a domain that nobody is in ends.
    fn put(&mut self, endpoint: u32, domain: Option<u32>) {
        if let Some(at) = self.index(endpoint) {
            self.places[at] = domain;
        }
        let places = self.places;
        self.domains.retain(|domain| places.contains(&Some(domain.id)));
    }

    /// Where an access of an endpoint goes.
    pub fn translate(&self, endpoint: u32, address: u64, write: bool) -> Option<u64> {
        let at = self.index(endpoint)?;
        let Some(id) = self.places[at] else { return self.bypass.then_some(address) };
        let domain = self.domain(id)?;
        if domain.bypass {
            return Some(address);
        }
        let entry = domain.entries.iter().find(|entry| entry.first <= address && address <= entry.last)?;
        let allowed = if write { entry.write } else { entry.read };
        allowed.then(|| entry.phys + (address - entry.first))
    }

    /// What a group's container serves, or the table of the endpoint in no group.
    fn group_place(&self, group: Option<usize>) -> Place {
        self.place_of(&self.places, group)
    }

    /// The same, were the endpoints at these places.
    fn place_of(&self, places: &[Option<u32>; 4], group: Option<usize>) -> Place {
        let mut found = Place::Nowhere;
        for at in (0..4).filter(|at| self.rules.group(ENDPOINTS[*at].0) == group) {
            let Some(id) = places[at] else { continue };
            let bypass = self.domain(id).is_some_and(|domain| domain.bypass);
            let place = if bypass { Place::Bypass } else { Place::Domain(id) };
            if found != Place::Nowhere && found != place {
                return Place::Between;
            }
            found = place;
        }
        found
    }

    /// Whether a group's members are in domains that differ.
    pub fn is_between(&self, group: usize) -> bool {
        self.group_place(Some(group)) == Place::Between
    }

    /// What a group's container must hold, or no group's (the emulated endpoint's table): both ends, host address, permissions.
    pub fn held(&self, group: Option<usize>) -> Vec<(u64, u64, u64, bool, bool)> {
        if group.is_some_and(|group| self.blocked[group]) {
            return Vec::new();
        }
        match self.group_place(group) {
            Place::Domain(id) => {
                let entries = self.domain(id).into_iter().flat_map(|domain| &domain.entries);
                let mirrored = entries.filter(|entry| self.is_mirrored(entry));
                let held = mirrored.filter_map(|entry| {
                    Some((entry.first, entry.last, self.backing(entry)?, entry.read, entry.write))
                });
                held.collect()
            }
            Place::Bypass => self.ram(group),
            Place::Nowhere if self.bypass => self.ram(group),
            Place::Nowhere | Place::Between => Vec::new(),
        }
    }

    /// What the emulated endpoint must reach: both ends, guest-physical address, permissions.
    pub fn reached(&self) -> Vec<(u64, u64, u64, bool, bool)> {
        let physical = |hva: u64| {
            let (low, _, at) =
                self.regions.iter().find(|(low, high, at)| hva.wrapping_sub(*at) <= high - low)?;
            Some(low + (hva - at))
        };
        let held = self.held(None).into_iter();
        held.filter_map(|(first, last, hva, r, w)| Some((first, last, physical(hva)?, r, w))).collect()
    }

    /// All of guest RAM one to one, but for what is reserved for an endpoint of the group.
    fn ram(&self, group: Option<usize>) -> Vec<(u64, u64, u64, bool, bool)> {
        let mut pieces = Vec::new();
        if !ENDPOINTS.iter().any(|(id, _)| self.rules.group(*id) == group) {
            return pieces;
        }
        for (first, last, hva) in self.regions {
            pieces.push((*first, *last, *hva, true, true));
        }
        for (id, _) in ENDPOINTS.iter().filter(|(id, _)| self.rules.group(*id) == group) {
            for (first, last) in self.rules.reserved(*id) {
                pieces = pieces.into_iter().flat_map(|piece| cut(piece, first, last)).collect();
            }
        }
        pieces
    }

    /// Host address of the first byte, when all of the target is in one region of RAM.
    fn backing(&self, entry: &Entry) -> Option<u64> {
        let end = entry.phys.checked_add(entry.last - entry.first)?;
        let region = self.regions.iter().find(|region| region.0 <= entry.phys && end <= region.1)?;
        Some(region.2 + (entry.phys - region.0))
    }

    fn targets_doorbell(&self, entry: &Entry) -> bool {
        let end = entry.phys.checked_add(entry.last - entry.first);
        entry.phys >= DOORBELL && end.is_some_and(|end| end <= DOORBELL + 0xffff)
    }

    /// The guest's doorbell, mapped where a doorbell may be mapped.
    fn is_doorbell(&self, entry: &Entry) -> bool {
        self.rules.doorbells
            && self.targets_doorbell(entry)
            && WINDOW.0 <= entry.first
            && entry.last <= WINDOW.1
    }

    /// Whether the host has to hold it.
    fn is_mirrored(&self, entry: &Entry) -> bool {
        (entry.read || entry.write) && self.backing(entry).is_some()
    }
}

/// What is left of a piece without `first..=last`.
fn cut(piece: (u64, u64, u64, bool, bool), first: u64, last: u64) -> Vec<(u64, u64, u64, bool, bool)> {
    if !overlap((piece.0, piece.1), (first, last)) {
        return vec![piece];
    }
    let mut left = Vec::new();
    if piece.0 < first {
        left.push((piece.0, first - 1, piece.2, true, true));
    }
    if last < piece.1 {
        left.push((last + 1, piece.1, piece.2 + (last + 1 - piece.0), true, true));
    }
    left
}
