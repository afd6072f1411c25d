//! The device with a driver's queues before it and a fake kernel behind it.

use std::sync::Arc;

use base::{GuestRam, HostMemory};
use data_model::{Bdf, PageMask, Span};
use iommu_domain::testing::{FakeHost, FakeLimits};
use iommu_domain::{EndpointSpec, Iommu, IommuConfig, Leg, PhysMap};
use virtio_iommu_spec::{Features, MAX_REQUEST_SIZE, Request, ResvKind, ResvMem, Status, encode};

use crate::irq::MsiMessage;
use crate::virtio::VirtioDevice;
use crate::virtio::iommu::{PollMode, Viommu, ViommuConfig, ViommuEndpoint};
use crate::virtio::testkit::{Bench, FakeMsiController, Reply, ram};

pub const PAGE: u64 = 0x1000;
pub const RAM: u64 = 64 * PAGE;
pub const PROBE_ROOM: u32 = 512;
pub const ALL_FEATURES: u64 = Features::INPUT_RANGE
    | Features::DOMAIN_RANGE
    | Features::MAP_UNMAP
    | Features::PROBE
    | Features::MMIO
    | Features::BYPASS_CONFIG;

pub fn span(start: u64, last: u64) -> Span {
    Span::new(start, last).unwrap()
}

pub struct Rig {
    pub device: Viommu,
    pub bench: Bench,
    pub hosts: Vec<FakeHost>,
    /// Host address of guest RAM.
    pub ram: u64,
}

/// An endpoint of a rig: its number, its host group, and regions of its own besides the common ones.
pub type RigEndpoint = (u32, Option<usize>, Vec<ResvMem>);

/// What a rig is made of.
pub struct Plan {
    pub features: u64,
    pub bypass_at_boot: bool,
    pub endpoints: Vec<RigEndpoint>,
    /// Mappings that each fake container holds.
    pub entries: u32,
    pub granule: u64,
    pub input: Span,
    /// Endpoints have the doorbell window and the hole reserved.
    pub common_regions: bool,
    pub poll: PollMode,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            features: ALL_FEATURES,
            bypass_at_boot: false,
            endpoints: vec![(8, Some(0), vec![]), (16, Some(1), vec![])],
            entries: 16,
            granule: PAGE,
            input: span(0, (1 << 39) - 1),
            common_regions: true,
            poll: PollMode::Auto,
        }
    }
}

/// The x86 doorbell window, and a hole.
pub fn common_regions() -> Vec<ResvMem> {
    vec![
        ResvMem { kind: ResvKind::Msi, span: span(0xfee0_0000, 0xfeef_ffff) },
        ResvMem { kind: ResvKind::Reserved, span: span(1 << 38, (1 << 38) + 0xffff) },
    ]
}

impl Plan {
    fn regions(&self, own: &[ResvMem]) -> Vec<ResvMem> {
        let common = if self.common_regions { common_regions() } else { Vec::new() };
        common.into_iter().chain(own.iter().copied()).collect()
    }

    /// The rig, its device activated.
    pub fn build(self) -> Rig {
        let limits = FakeLimits {
            granule: PAGE,
            allowed: vec![span(0, 0xfedf_ffff), span(0xfef0_0000, (1 << 38) - 1)],
            entries: self.entries,
        };
        let groups = self.endpoints.iter().filter_map(|endpoint| endpoint.1).max().map_or(0, |most| most + 1);
        let hosts: Vec<_> = (0..groups).map(|_| FakeHost::new(limits.clone()).unwrap()).collect();
        let legs = hosts
            .iter()
            .enumerate()
            .map(|(n, host)| Box::new(host.leg(&format!("type1 group {n}"))) as Box<dyn Leg>);
        let described: Vec<_> = self
            .endpoints
            .iter()
            .map(|(id, _, own)| ViommuEndpoint { id: *id, regions: self.regions(own) })
            .collect();
        let specs = self.endpoints.iter().zip(&described).map(|((id, leg, _), endpoint)| EndpointSpec {
            id: *id,
            leg: *leg,
            reserved: endpoint.regions.iter().map(|region| region.span).collect(),
        });
        let memory = GuestRam::new(&[span(0, RAM - 1)]).unwrap();
        let ram_address = memory.regions()[0].1;
        let phys = Arc::new(PhysMap::new(HostMemory::of_ram(&memory)).unwrap());
        let config = IommuConfig::new(self.granule, self.input, self.bypass_at_boot);
        let iommu = Iommu::new(config, phys, legs.collect(), specs.collect());
        let config = ViommuConfig { pages: PageMask::new(self.granule).unwrap(), endpoints: described };
        let mut device = Viommu::new(&config, iommu).unwrap().polling(self.poll);
        let bench = Bench::new(ram(2 << 20), &device, self.features);
        device.activate(bench.activation()).unwrap();
        Rig { device, bench, hosts, ram: ram_address }
    }
}

/// Endpoints 8 and 16 in groups of their own; 39 bits of input; the x86 doorbell window and one hole reserved.
pub fn rig_with(features: u64) -> Rig {
    Plan { features, ..Plan::default() }.build()
}

pub fn rig() -> Rig {
    rig_with(ALL_FEATURES)
}

pub fn bytes(request: &Request) -> Vec<u8> {
    let mut buffer = [0; MAX_REQUEST_SIZE];
    let len = encode(request, &mut buffer);
    buffer[..len].to_vec()
}

impl Rig {
    /// Sends raw bytes with `room` bytes for the answer.
    pub fn raw(&mut self, request: &[u8], room: u32) -> Reply {
        self.bench.queues[0].request(request, room).expect("every chain comes back")
    }

    /// Sends a request as a driver does and checks the framing of its answer.
    #[track_caller]
    pub fn send(&mut self, request: Request) -> Status {
        let room = if matches!(request, Request::Probe { .. }) { PROBE_ROOM } else { 0 };
        let reply = self.raw(&bytes(&request), room + 4);
        assert_eq!(reply.len, room + 4, "the used length is exact, whatever the status");
        let tail = &reply.bytes[room as usize..];
        assert_eq!(tail[1..], [0, 0, 0], "G3: the tail's reserved bytes are zero");
        Status::from_wire(tail[0]).expect("a status of the specification")
    }

    pub fn attach(&mut self, endpoint: u32, domain: u32) -> Status {
        self.send(Request::Attach { domain, endpoint, flags: 0, reserved: 0 })
    }

    pub fn attach_bypass(&mut self, endpoint: u32, domain: u32) -> Status {
        self.send(Request::Attach { domain, endpoint, flags: 1, reserved: 0 })
    }

    pub fn detach(&mut self, endpoint: u32, domain: u32) -> Status {
        self.send(Request::Detach { domain, endpoint })
    }

    /// One page of `domain`, read and write, to guest-physical 0.
    pub fn map_page(&mut self, domain: u32, page: u64) -> Status {
        self.map(domain, page * PAGE, page * PAGE + 0xfff, 0, 3)
    }

    /// What a host group's container maps: IOVA range, guest-physical address, permission as `rw`.
    pub fn held(&self, group: usize) -> Vec<(u64, u64, u64, String)> {
        let entry = |(iova, hva, perm): (Span, u64, iommu_domain::Perm)| {
            (iova.start(), iova.last(), hva - self.ram, perm.to_string())
        };
        self.hosts[group].mappings().into_iter().map(entry).collect()
    }

    /// Bytes of the configuration space.
    pub fn config<const N: usize>(&self, offset: u64) -> [u8; N] {
        let mut data = [0xee; N];
        self.device.config_read(offset, &mut data);
        data
    }

    /// Sets `bypass` as a driver does.
    pub fn set_bypass(&mut self, value: u8) -> bool {
        self.device.config_write(0x24, &[value], ALL_FEATURES)
    }

    /// Where an interrupt message of the endpoint leads: a write of four bytes, translated.
    pub fn message(&self, endpoint: u32, address: u64) -> Option<u64> {
        let controller = Arc::new(FakeMsiController::default());
        let requester = Bdf::from_id(endpoint as u16);
        let vector = self.device.handle().translated_msi(controller.clone()).vector(requester).unwrap();
        vector.route(MsiMessage { address, data: 1 }).unwrap();
        controller.with_data(1).map(|vector| vector.message().unwrap().address)
    }

    /// Where the endpoint is.
    pub fn domain_of(&self, endpoint: u32) -> Option<u32> {
        let report = self.device.handle().report().iommu;
        report.endpoints.iter().find(|there| there.id == endpoint).and_then(|there| there.domain)
    }

    /// The property list that PROBE answers, 512 bytes or as many as the configuration says.
    pub fn probe(&mut self, endpoint: u32) -> Vec<u8> {
        let room = u32::from_le_bytes(self.config(0x20));
        let reply = self.raw(&bytes(&Request::Probe { endpoint }), room + 4);
        assert_eq!((reply.len, reply.bytes[room as usize]), (room + 4, 0));
        reply.bytes[..room as usize].to_vec()
    }

    pub fn map(&mut self, domain: u32, first: u64, last: u64, phys_start: u64, flags: u32) -> Status {
        self.send(Request::Map { domain, virt_start: first, virt_end: last, phys_start, flags })
    }

    pub fn unmap(&mut self, domain: u32, virt_start: u64, virt_end: u64) -> Status {
        self.send(Request::Unmap { domain, virt_start, virt_end, reserved: 0 })
    }
}
