//! The device with a driver's queues before it and a fake kernel behind it.

use std::sync::Arc;

use base::{GuestRam, HostMemory};
use data_model::{PageMask, Span};
use iommu_domain::testing::{FakeHost, FakeLimits};
use iommu_domain::{EndpointSpec, Iommu, IommuConfig, Leg, PhysMap};
use virtio_iommu_spec::{Features, MAX_REQUEST_SIZE, Request, ResvKind, ResvMem, Status, encode};

use crate::virtio::VirtioDevice;
use crate::virtio::iommu::{Viommu, ViommuConfig, ViommuEndpoint};
use crate::virtio::testkit::{Bench, Reply, ram};

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
}

/// Endpoints 8 and 16 in groups of their own; 39 bits of input; the x86 doorbell window and one hole reserved.
pub fn rig_with(features: u64) -> Rig {
    let input = span(0, (1 << 39) - 1);
    let regions = vec![
        ResvMem { kind: ResvKind::Msi, span: span(0xfee0_0000, 0xfeef_ffff) },
        ResvMem { kind: ResvKind::Reserved, span: span(1 << 38, (1 << 38) + 0xffff) },
    ];
    let limits = FakeLimits {
        granule: PAGE,
        allowed: vec![span(0, 0xfedf_ffff), span(0xfef0_0000, (1 << 38) - 1)],
        entries: 16,
    };
    let hosts: Vec<_> = (0..2).map(|_| FakeHost::new(limits.clone())).collect();
    let legs = hosts
        .iter()
        .enumerate()
        .map(|(n, host)| Box::new(host.leg(&format!("type1 group {n}"))) as Box<dyn Leg>);
    let reserved: Vec<_> = regions.iter().map(|region| region.span).collect();
    let specs =
        [(8, 0), (16, 1)].map(|(id, leg)| EndpointSpec { id, leg: Some(leg), reserved: reserved.clone() });
    let memory = GuestRam::new(&[span(0, RAM - 1)]).unwrap();
    let phys = Arc::new(PhysMap::new(HostMemory::of_ram(&memory)).unwrap());
    let iommu = Iommu::new(IommuConfig::new(PAGE, input, false), phys, legs.collect(), specs.to_vec());
    let endpoints = [8, 16].map(|id| ViommuEndpoint { id, regions: regions.clone() });
    let config = ViommuConfig { pages: PageMask::new(PAGE).unwrap(), input, endpoints: endpoints.to_vec() };
    let mut device = Viommu::new(&config, iommu).unwrap();
    let bench = Bench::new(ram(2 << 20), &device, features);
    device.activate(bench.activation()).unwrap();
    Rig { device, bench, hosts }
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

    pub fn map(&mut self, domain: u32, first: u64, last: u64, phys_start: u64, flags: u32) -> Status {
        self.send(Request::Map { domain, virt_start: first, virt_end: last, phys_start, flags })
    }

    pub fn unmap(&mut self, domain: u32, virt_start: u64, virt_end: u64) -> Status {
        self.send(Request::Unmap { domain, virt_start, virt_end, reserved: 0 })
    }
}
