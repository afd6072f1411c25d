//! A made-up host for tests: one well-behaved NVMe at 0000:01:00.0 in group 3, to be spoiled by each case.

use base::Memlock;
use data_model::{HostBdf, PageMask, Span};

use super::*;

/// A host made of data.
#[derive(Clone)]
pub struct FakeHost {
    pub machine: MachineFacts,
    pub devices: Vec<DeviceFacts>,
    pub groups: Vec<GroupFacts>,
}

pub fn span(start: u64, last: u64) -> Span {
    Span::new(start, last).unwrap()
}

pub fn region(start: u64, last: u64, kind: HostRegionKind) -> HostRegion {
    HostRegion { span: span(start, last), kind }
}

pub fn aperture(bits: u32, holes: &[Span]) -> Aperture {
    let mut rest = Some(span(0, (1 << bits) - 1));
    let mut ranges = Vec::new();
    for hole in holes {
        let Some(piece) = rest else { break };
        let (below, above) = piece.without(hole);
        ranges.extend(below);
        rest = above;
    }
    ranges.extend(rest);
    Aperture { ranges, page_sizes: PageMask::new(0x4020_1000).unwrap(), most_mappings: Some(65535) }
}

pub const X86_MSI: (u64, u64) = (0xfee0_0000, 0xfeef_ffff);
pub const ARM_MSI: (u64, u64) = (0x800_0000, 0x80f_ffff);

impl FakeHost {
    pub fn new(arch: Arch) -> FakeHost {
        let machine = MachineFacts {
            arch,
            page_size: 4096,
            memlock: Memlock::Unlimited,
            locks_at_will: false,
            container_node: Access::Granted,
            kvm: KvmFacts::Works { address_bits: 40 },
            unsafe_allowed: Some(false),
            chips: Isolation::Isolated,
            gic: (arch == Arch::Aarch64).then_some(HostGic::V3),
            guest_gics: (arch == Arch::Aarch64).then_some(GuestGics { v3: true, its: true, v2: false }),
        };
        let mut host = FakeHost { machine, devices: Vec::new(), groups: Vec::new() };
        host.add(1, 3);
        host
    }

    /// Adds 0000:<bus>:00.0 to group `number`, which is made if need be.
    pub fn add(&mut self, bus: u8, number: u32) -> &mut FakeHost {
        let device = DeviceFacts {
            bdf: HostBdf { domain: 0, bdf: data_model::Bdf::new(bus, 0, 0).unwrap() },
            class: 0x01_0802,
            ids: (0x1b36, 0x0010),
            driver: Some("vfio-pci".into()),
            group: Some(number),
            bars: Vec::new(),
        };
        let (start, last) = if self.machine.arch == Arch::X86_64 { X86_MSI } else { ARM_MSI };
        self.devices.push(device.clone());
        if !self.groups.iter().any(|group| group.number == number) {
            self.groups.push(GroupFacts {
                number,
                members: Vec::new(),
                reserved: vec![region(start, last, HostRegionKind::Msi)],
                node: Access::Granted,
                noiommu: false,
                trial: Trial::Attached(aperture(39, &[span(start, last)])),
            });
        }
        self.groups.iter_mut().find(|group| group.number == number).unwrap().members.push(device);
        self
    }

    /// Changes device 0000:<bus>:00.0 wherever it is listed.
    pub fn device_mut(&mut self, bus: u8, change: impl Fn(&mut DeviceFacts)) -> &mut FakeHost {
        let members = self.groups.iter_mut().flat_map(|group| &mut group.members);
        self.devices.iter_mut().chain(members).filter(|device| device.bdf.bdf.bus() == bus).for_each(change);
        self
    }

    /// Gives device 0000:<bus>:00.0 another driver, or none.
    pub fn drive(&mut self, bus: u8, driver: Option<&str>) {
        self.device_mut(bus, |device| device.driver = driver.map(str::to_owned));
    }

    pub fn group_mut(&mut self, number: u32) -> &mut GroupFacts {
        self.groups.iter_mut().find(|group| group.number == number).unwrap()
    }
}

impl HostFacts for FakeHost {
    fn machine(&self) -> MachineFacts {
        self.machine.clone()
    }

    fn device(&self, path: &str) -> Lookup {
        let name = path.rsplit('/').next().unwrap();
        match self.devices.iter().find(|device| device.bdf.to_string() == name) {
            Some(device) => Lookup::Found(device.clone()),
            None if path.contains("platform") => Lookup::NotPci(path.into()),
            None => Lookup::Absent,
        }
    }

    fn group(&self, number: u32) -> GroupFacts {
        let group = self.groups.iter().find(|group| group.number == number).unwrap();
        GroupFacts { trial: Trial::NotTried, ..group.clone() }
    }

    fn trial(&self, number: u32) -> Trial {
        self.groups.iter().find(|group| group.number == number).unwrap().trial.clone()
    }
}
