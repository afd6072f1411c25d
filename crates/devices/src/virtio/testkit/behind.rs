//! A virtual IOMMU with one emulated device behind it, and the guest's hand on both.

use std::sync::Arc;

use base::{GuestMem, GuestRam, HostMemory};
use data_model::{PageMask, Span};
use iommu_domain::{EndpointSpec, Iommu, IommuConfig, Leg, PhysMap, SoftLeg, SoftTable};
use virtio_iommu_spec::{ATTACH_F_BYPASS, Fault, Features, MAX_REQUEST_SIZE, Request, Status, encode};

use crate::virtio::iommu::{Viommu, ViommuConfig, ViommuEndpoint};
use crate::virtio::{Dma, VirtioDevice};

/// The IOMMU. Its endpoint is in no domain at first.
pub struct Behind {
    /// Guest memory.
    pub mem: Arc<GuestMem>,
    /// The IOMMU.
    pub viommu: Viommu,
    table: Arc<SoftTable>,
}

impl Behind {
    /// The endpoint's number.
    pub const ENDPOINT: u32 = 0x18;
    /// The domain that the calls here speak of.
    pub const DOMAIN: u32 = 5;
    /// How far IOVAs are above the addresses of guest memory, where a test wants them apart.
    pub const SHIFT: u64 = 0x40_0000_0000;

    /// Over `bytes` of guest memory from address 0 on.
    pub fn new(bytes: u64) -> Behind {
        let span = Span::from_len(0, bytes).expect("some bytes");
        let ram = GuestRam::new(&[span]).expect("memory for a test");
        let phys = Arc::new(PhysMap::new(HostMemory::of_ram(&ram)).expect("one range"));
        let table = Arc::<SoftTable>::default();
        let leg: Box<dyn Leg> = Box::new(SoftLeg::new("software 00:03.0".into(), table.clone()));
        let endpoint = EndpointSpec { id: Self::ENDPOINT, leg: Some(0), reserved: Vec::new() };
        let iommu = Iommu::new(IommuConfig::new(4096, Span::ALL, false), phys, vec![leg], vec![endpoint]);
        let config = ViommuConfig {
            pages: PageMask::new(4096).expect("a mask"),
            endpoints: vec![ViommuEndpoint { id: Self::ENDPOINT, regions: Vec::new() }],
        };
        let viommu = Viommu::new(&config, iommu).expect("a device");
        viommu.negotiate(Features::MAP_UNMAP | Features::BYPASS_CONFIG);
        Behind { mem: ram.mem, viommu, table }
    }

    /// The same, with all of guest memory mapped at [`Behind::SHIFT`], page by page, read and write.
    pub fn mapped(bytes: u64) -> Behind {
        let behind = Behind::new(bytes);
        assert_eq!(behind.attach(), Status::Ok);
        for page in (0..bytes).step_by(4096) {
            assert_eq!(behind.map(Self::SHIFT + page, 4096, page, 3), Status::Ok);
        }
        behind
    }

    /// Memory as the device sees it.
    pub fn dma(&self) -> Dma {
        self.viommu.handle().dma(Self::ENDPOINT, self.mem.clone(), self.table.clone())
    }

    /// Carries a request out as a driver would have it.
    pub fn send(&self, request: Request) -> Status {
        let mut bytes = [0; MAX_REQUEST_SIZE];
        let len = encode(&request, &mut bytes);
        self.viommu.serve(&bytes[..len]).expect("a request")
    }

    /// Puts the endpoint into the domain.
    pub fn attach(&self) -> Status {
        let (endpoint, domain) = (Self::ENDPOINT, Self::DOMAIN);
        self.send(Request::Attach { domain, endpoint, flags: 0, reserved: 0 })
    }

    /// Puts the endpoint into another domain, one that bypasses.
    pub fn attach_bypass(&self) -> Status {
        let (endpoint, domain) = (Self::ENDPOINT, Self::DOMAIN + 1);
        self.send(Request::Attach { domain, endpoint, flags: ATTACH_F_BYPASS, reserved: 0 })
    }

    /// Takes the endpoint out of the domain.
    pub fn detach(&self) -> Status {
        self.send(Request::Detach { domain: Self::DOMAIN, endpoint: Self::ENDPOINT })
    }

    /// Maps `len` bytes of the domain; flags 1: read, 2: write.
    pub fn map(&self, iova: u64, len: u64, phys_start: u64, flags: u32) -> Status {
        let (domain, virt_end) = (Self::DOMAIN, iova + (len - 1));
        self.send(Request::Map { domain, virt_start: iova, virt_end, phys_start, flags })
    }

    /// Unmaps `len` bytes of the domain.
    pub fn unmap(&self, iova: u64, len: u64) -> Status {
        let (domain, virt_end) = (Self::DOMAIN, iova + (len - 1));
        self.send(Request::Unmap { domain, virt_start: iova, virt_end, reserved: 0 })
    }

    /// Sets `bypass` of the configuration space.
    pub fn set_bypass(&mut self, on: bool) {
        assert!(self.viommu.config_write(0x24, &[on.into()], Features::BYPASS_CONFIG));
    }

    /// The faults that wait for the driver: address, and direction as `r`, `w`, `rw`.
    pub fn faults(&self) -> Vec<(u64, &'static str)> {
        let told = |fault: Fault| {
            assert_eq!(fault.endpoint, Self::ENDPOINT);
            (fault.address, ["", "r", "w", "rw"][(fault.flags.0 & 3) as usize])
        };
        self.viommu.take_faults().into_iter().map(told).collect()
    }
}
