//! Five endpoints in three host groups over fake containers: the bench that every test here stands on.

use std::sync::Arc;

use base::{GuestRam, HostMemory, MappedRegion};
use data_model::Span;

use crate::iommu::Domain;
use crate::testing::{FakeHost, FakeLimits};
use crate::{Backing, EndpointSpec, HostFailure, Iommu, IommuConfig, Leg, Mapping, Perm, PhysMap, Refusal};

pub const PAGE: u64 = 0x1000;
pub const RAM: u64 = 64 * PAGE;
/// A doorbell frame of the guest's, above RAM.
pub const DOORBELL: u64 = 0x809_0000;

pub fn span(start: u64, last: u64) -> Span {
    Span::new(start, last).unwrap()
}

pub fn pages(first: u64, count: u64) -> Span {
    Span::from_len(first * PAGE, count * PAGE).unwrap()
}

/// The window that is reserved for every endpoint.
pub fn window() -> Span {
    span(0xfee0_0000, 0xfeef_ffff)
}

/// Where the guest may put the one BAR that there is.
pub const PLACES: [u64; 2] = [0x1000_0000, 0x1100_0000];
/// Bytes of the BAR.
pub const BAR: u64 = 4 * PAGE;
/// What a leg reaches that still holds the BAR when it is nowhere.
pub const NOWHERE: u64 = u64::MAX;

pub struct Bench {
    pub iommu: Iommu,
    pub hosts: Vec<FakeHost>,
    pub ram: u64,
    /// The BAR, once it was asked for, and where it is.
    bar: Option<HostMemory>,
    place: Option<u64>,
}

/// A page-aligned piece of a device's memory.
pub fn device_memory(len: u64) -> HostMemory {
    let file = std::fs::File::options().read(true).write(true).open("/dev/zero").unwrap();
    let region = Arc::new(MappedRegion::new(&file, 0, len as usize, true).unwrap());
    HostMemory::of_device(region, 0, len).unwrap()
}

/// Endpoints 8, 9 and 10 share group 0, 16 is alone in group 1, 24 in group 2.
pub const ENDPOINTS: [(u32, usize); 5] = [(8, 0), (9, 0), (10, 0), (16, 1), (24, 2)];

pub fn config() -> IommuConfig {
    IommuConfig { max_domains: 3, ..IommuConfig::new(PAGE, Span::ALL, false) }
}

pub fn bench() -> Bench {
    with(config(), 40)
}

pub fn with(config: IommuConfig, entries: u32) -> Bench {
    let ram = GuestRam::new(&[pages(0, RAM / PAGE)]).unwrap();
    let ram_address = ram.regions()[0].1;
    let phys = PhysMap::new(HostMemory::of_ram(&ram)).unwrap();
    phys.insert(Span::from_len(DOORBELL, PAGE).unwrap(), Backing::Doorbell).unwrap();
    let (below, above) = Span::ALL.without(&window());
    let limits =
        FakeLimits { granule: PAGE, allowed: [below, above].into_iter().flatten().collect(), entries };
    let hosts: Vec<_> = (0..3).map(|_| FakeHost::new(limits.clone()).unwrap()).collect();
    let legs = hosts
        .iter()
        .enumerate()
        .map(|(n, host)| Box::new(host.leg(&format!("type1 group {n}"))) as Box<dyn Leg>);
    let endpoints = ENDPOINTS.map(|(id, leg)| EndpointSpec { id, leg: Some(leg), reserved: vec![window()] });
    let iommu = Iommu::new(config, Arc::new(phys), legs.collect(), endpoints.to_vec());
    Bench { iommu, hosts, ram: ram_address, bar: None, place: None }
}

impl Bench {
    pub fn map(&mut self, domain: u32, iova: Span, phys: u64) -> Result<(), Refusal> {
        self.iommu.map(domain, Mapping { iova, phys, perm: Perm::READ_WRITE })
    }

    /// What a leg holds: IOVA, guest-physical address, permission.
    pub fn held(&self, leg: usize) -> Vec<(Span, u64, Perm)> {
        let mappings = self.hosts[leg].mappings();
        mappings.into_iter().map(|(iova, hva, perm)| (iova, self.phys(hva), perm)).collect()
    }

    fn phys(&self, hva: u64) -> u64 {
        let bar = self.bar.as_ref().and_then(|bar| bar.slice(0, BAR)).map(|bar| bar.address());
        match bar.and_then(|bar| hva.checked_sub(bar)).filter(|offset| *offset < BAR) {
            Some(offset) => self.place.map_or(NOWHERE, |place| place + offset),
            None => hva - self.ram,
        }
    }

    /// Moves the BAR, or takes it away; what the host failed in.
    pub fn put_bar(&mut self, place: Option<u64>) -> Vec<HostFailure> {
        let bar_at = |place| Span::from_len(place, BAR).unwrap();
        let mut failures = Vec::new();
        if let Some(old) = self.place.take() {
            failures.extend(self.iommu.remove_memory(bar_at(old)));
        }
        if let Some(new) = place {
            let bar = self.bar.get_or_insert_with(|| device_memory(BAR)).clone();
            self.place = place;
            failures.extend(self.iommu.insert_memory(bar_at(new), Backing::Memory(bar)).unwrap());
        }
        failures
    }

    /// What the leg must hold: the table of the domain its endpoints are in, without what memory is not behind; nothing
    /// when they are in two.
    pub fn expected(&self, leg: usize) -> Vec<(Span, u64, Perm)> {
        let report = self.iommu.report();
        let of_leg = |id: u32| ENDPOINTS.iter().any(|(endpoint, there)| *endpoint == id && *there == leg);
        let members = report.endpoints.iter().filter(|endpoint| of_leg(endpoint.id));
        let mut domains: Vec<&Domain> =
            members.filter_map(|endpoint| self.iommu.domains.get(&endpoint.domain?)).collect();
        domains.dedup_by(|a, b| std::ptr::eq(*a, *b) || (a.bypass && b.bypass));
        assert_eq!(report.legs[leg].between, domains.len() > 1, "leg {leg}");
        if report.legs[leg].quarantined {
            return Vec::new();
        }
        // What leads to the BAR's place is held while the BAR is there, unless the host would not have it.
        let there = |domain: &Domain, mapping: &Mapping| {
            let bar = self.place.is_some_and(|place| (place..place + BAR).contains(&mapping.phys));
            mapping.phys < RAM || (bar && !domain.software.contains(&mapping.iova.start()))
        };
        let ram = || vec![(pages(0, RAM / PAGE), 0, Perm::READ_WRITE)];
        match domains[..] {
            [] if report.bypass => ram(),
            [domain] if domain.bypass => ram(),
            [domain] => domain
                .table
                .iter()
                .filter(|mapping| mapping.perm != Perm::NONE && there(domain, mapping))
                .map(|mapping| (mapping.iova, mapping.phys, mapping.perm))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The law: every leg holds what its domain's table says.
    #[track_caller]
    pub fn assert_equal(&self) {
        for leg in 0..self.hosts.len() {
            assert_eq!(self.held(leg), self.expected(leg), "leg {leg}");
        }
        for (id, domain) in &self.iommu.domains {
            let locked = domain.table.iter().filter(|it| it.perm != Perm::NONE && it.phys < RAM);
            assert_eq!(domain.locked, locked.map(|it| it.bytes()).sum::<u64>(), "domain {id}: bytes locked");
        }
    }
}
