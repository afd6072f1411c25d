//! What the suites run against: the device over fake containers of the host, four endpoints in three groups.

use std::sync::Arc;

use base::{GuestRam, HostMemory};
use data_model::{PageMask, Span};
use devices::virtio::iommu::{Viommu, ViommuConfig, ViommuEndpoint};
use iommu_domain::mixed::{Config, Device, MsiPolicy, ResvKind as MixedKind};
use iommu_domain::testing::{FakeHost, FakeLimits};
use iommu_domain::{Backing, EndpointSpec, Iommu, IommuConfig, Leg, PhysMap, SoftLeg, SoftTable};
use virtio_iommu_spec::{Features, ResvKind, ResvMem};

/// The host's page, in bytes.
pub const PAGE: u64 = 0x1000;
/// Guest RAM: two regions of this many bytes, at 0 and at [`HIGH_RAM`]. The largest granule fits four times.
pub const RAM: u64 = 0x4_0000;
/// Where the second region begins.
pub const HIGH_RAM: u64 = 1 << 32;
/// The guest's doorbell frame, 64 KiB.
pub const DOORBELL: u64 = 0x809_0000;
/// Endpoint and host group.
pub const ENDPOINTS: [(u32, usize); 4] = [(8, 0), (9, 0), (16, 1), (24, 2)];
/// Host groups.
pub const GROUPS: usize = 3;
/// Reserved for every endpoint.
pub const WINDOW: (u64, u64) = (0xfee0_0000, 0xfeef_ffff);
/// Reserved for endpoint 24 alone; it lies in the lower RAM as well.
pub const OWN: (u64, u64) = (0x2_0000, 0x2_ffff);
/// All features of the device.
pub const FEATURES: u64 = Features::INPUT_RANGE
    | Features::DOMAIN_RANGE
    | Features::MAP_UNMAP
    | Features::PROBE
    | Features::MMIO
    | Features::BYPASS_CONFIG;

/// The inclusive range, which is not reversed.
pub fn span((first, last): (u64, u64)) -> Span {
    Span::new(first, last).expect("not reversed")
}

/// What may differ from world to world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Granule in bytes.
    pub granule: u64,
    /// Input range, inclusive.
    pub input: (u64, u64),
    /// Mappings that a container takes.
    pub entries: u32,
    /// Domains at most.
    pub max_domains: usize,
    /// Mappings in a domain at most.
    pub max_mappings: usize,
    /// Whether the guest may map its doorbell in the window.
    pub doorbells: bool,
    /// Bypass at boot.
    pub bypass: bool,
    /// Whether endpoint 24 is emulated: its leg is a table in this process.
    pub emulated: bool,
}

impl Rules {
    /// The rules that the suites of fixed scenarios use.
    pub fn plain() -> Rules {
        Rules {
            granule: PAGE,
            input: (0, u64::MAX),
            entries: 40,
            max_domains: 3,
            max_mappings: 100,
            doorbells: false,
            bypass: false,
            emulated: false,
        }
    }

    /// Regions reserved for an endpoint.
    pub fn reserved(&self, endpoint: u32) -> Vec<(u64, u64)> {
        if endpoint == 24 { vec![OWN, WINDOW] } else { vec![WINDOW] }
    }

    /// The last address of the input range: the granule at the very end of the address space is left out.
    pub fn last(&self) -> u64 {
        self.input.1.min(u64::MAX - self.granule)
    }

    /// Whether there can be bypass: all of RAM is in the input range.
    pub fn can_bypass(&self) -> bool {
        self.input.0 == 0 && self.last() >= HIGH_RAM + (RAM - 1)
    }

    /// The host group behind an endpoint.
    pub fn group(&self, endpoint: u32) -> Option<usize> {
        let known = ENDPOINTS.iter().find(|(id, _)| *id == endpoint)?;
        (!self.emulated || endpoint != 24).then_some(known.1)
    }
}

/// Guest memory; shared by the worlds of a thread.
#[derive(Clone)]
pub struct Memory {
    phys: Arc<PhysMap>,
    /// Guest-physical range, inclusive, and host address of each region.
    pub regions: Vec<(u64, u64, u64)>,
}

impl Memory {
    /// Two regions of RAM, and the doorbell frame.
    pub fn new() -> Memory {
        let layout = [span((0, RAM - 1)), span((HIGH_RAM, HIGH_RAM + RAM - 1))];
        let ram = GuestRam::new(&layout).expect("guest RAM");
        let regions = ram.regions().iter().map(|(span, hva)| (span.start(), span.last(), *hva)).collect();
        let phys = PhysMap::new(HostMemory::of_ram(&ram)).expect("regions do not overlap");
        phys.insert(span((DOORBELL, DOORBELL + 0xffff)), Backing::Doorbell).expect("nothing is there");
        Memory { phys: Arc::new(phys), regions }
    }

    /// The guest-physical address space.
    pub fn phys(&self) -> Arc<PhysMap> {
        self.phys.clone()
    }
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::new()
    }
}

/// The device, and the containers behind it to look into.
pub struct World {
    /// The device, not activated.
    pub device: Viommu,
    /// The containers; one less where endpoint 24 is emulated.
    pub hosts: Vec<FakeHost>,
    /// What endpoint 24 reaches where it is emulated.
    pub soft: Arc<SoftTable>,
}

impl World {
    /// A new device under these rules; no features are negotiated.
    pub fn new(rules: &Rules, memory: &Memory) -> World {
        let groups = if rules.emulated { GROUPS - 1 } else { GROUPS };
        let hosts: Vec<_> =
            (0..groups).map(|group| FakeHost::new(limits(rules, group)).expect("a container")).collect();
        let container = |(n, host): (usize, &FakeHost)| Box::new(host.leg(&format!("type1 group {n}"))) as _;
        let mut legs: Vec<Box<dyn Leg>> = hosts.iter().enumerate().map(container).collect();
        let soft = Arc::new(soft(rules));
        if rules.emulated {
            legs.push(Box::new(SoftLeg::new("software".into(), soft.clone())));
        }
        let specs = ENDPOINTS.map(|(id, leg)| EndpointSpec {
            id,
            leg: Some(leg),
            reserved: rules.reserved(id).into_iter().map(span).collect(),
        });
        let config = IommuConfig {
            max_domains: rules.max_domains,
            max_mappings: rules.max_mappings,
            doorbell_windows: if rules.doorbells { vec![span(WINDOW)] } else { vec![] },
            ..IommuConfig::new(rules.granule, span(rules.input), rules.bypass)
        };
        let iommu = Iommu::new(config, memory.phys.clone(), legs, specs.to_vec());
        let endpoints = ENDPOINTS.map(|(id, _)| ViommuEndpoint { id, regions: regions(rules, id) });
        let config = ViommuConfig {
            pages: PageMask::new(rules.granule).expect("a power of two"),
            endpoints: endpoints.to_vec(),
        };
        World { device: Viommu::new(&config, iommu).expect("a device"), hosts, soft }
    }
}

/// The emulated endpoint's mixed domain, which knows what the endpoint was told.
fn soft(rules: &Rules) -> SoftTable {
    let policy = MsiPolicy::Hw { regions: vec![span(WINDOW)] };
    let device = Device { resv: vec![(span(OWN), MixedKind::Reserved)], ..Device::new(24) };
    SoftTable::new(Config::emulated(rules.granule, span(rules.input), policy), device).expect("a domain")
}

/// What PROBE tells of an endpoint.
fn regions(rules: &Rules, endpoint: u32) -> Vec<ResvMem> {
    let kind = |range| if range == WINDOW { ResvKind::Msi } else { ResvKind::Reserved };
    rules
        .reserved(endpoint)
        .into_iter()
        .map(|range| ResvMem { kind: kind(range), span: span(range) })
        .collect()
}

/// What the kernel would allow in a group's container: all but what is reserved for one of its endpoints.
fn limits(rules: &Rules, group: usize) -> FakeLimits {
    let mut allowed = vec![span(rules.input)];
    for (endpoint, _) in ENDPOINTS.iter().filter(|(_, of)| *of == group) {
        for hole in rules.reserved(*endpoint) {
            allowed = allowed
                .iter()
                .flat_map(|range| <[_; 2]>::from(range.without(&span(hole))))
                .flatten()
                .collect();
        }
    }
    FakeLimits { granule: PAGE, allowed, entries: rules.entries }
}
