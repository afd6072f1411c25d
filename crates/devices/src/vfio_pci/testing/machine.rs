//! A device in a machine of fakes, with the accesses that a driver makes.

use std::os::fd::AsRawFd;
use std::sync::Arc;

use data_model::{Bdf, Span};

use super::{FakeDevice, Image};
use crate::pci::PciFunction;
use crate::vfio_pci::{VfioPciDevice, VfioPciError, VfioPciParts};
use crate::virtio::testkit::{FakeLine, FakeMapper, FakeMsiController};

pub(crate) struct Machine {
    pub device: Arc<FakeDevice>,
    pub msi: Arc<FakeMsiController>,
    pub line: Arc<FakeLine>,
    pub mapper: Arc<FakeMapper>,
    pub function: VfioPciDevice,
}

impl Machine {
    pub fn new(image: Image) -> Machine {
        Machine::with(FakeDevice::new(image))
    }

    pub fn with(device: FakeDevice) -> Machine {
        Machine::try_with(device).unwrap()
    }

    pub fn try_with(device: FakeDevice) -> Result<Machine, VfioPciError> {
        Machine::build(device, true)
    }

    /// In a machine that has no port space.
    pub fn without_ports(image: Image) -> Machine {
        Machine::build(FakeDevice::new(image), false).unwrap()
    }

    fn build(device: FakeDevice, ports: bool) -> Result<Machine, VfioPciError> {
        let device = Arc::new(device);
        let (msi, line, mapper) =
            (Arc::<FakeMsiController>::default(), Arc::<FakeLine>::default(), Arc::<FakeMapper>::default());
        device.with(|state| state.watched = Some(mapper.clone()));
        let function = VfioPciDevice::new(VfioPciParts {
            device: device.clone(),
            requester: Bdf::new(1, 0, 0).unwrap(),
            msi: msi.clone(),
            line: Some(line.clone()),
            ports,
            mapper: mapper.clone(),
        })?;
        Ok(Machine { device, msi, line, mapper, function })
    }

    pub fn u8(&mut self, at: u16) -> u8 {
        let mut data = [0; 1];
        self.function.config_read(at, &mut data);
        data[0]
    }

    pub fn u16(&mut self, at: u16) -> u16 {
        let mut data = [0; 2];
        self.function.config_read(at, &mut data);
        u16::from_le_bytes(data)
    }

    pub fn u32(&mut self, at: u16) -> u32 {
        let mut data = [0; 4];
        self.function.config_read(at, &mut data);
        u32::from_le_bytes(data)
    }

    pub fn set_u16(&mut self, at: u16, value: u16) {
        self.function.config_write(at, &value.to_le_bytes());
    }

    pub fn set_u32(&mut self, at: u16, value: u32) {
        self.function.config_write(at, &value.to_le_bytes());
    }

    /// Programs an MSI-X entry as Linux does: masked, then the message; `mask` is the last word.
    pub fn set_entry(&mut self, bar: u8, table: u64, vector: u64, data: u32, mask: u32) {
        let at = table + 16 * vector;
        for (offset, word) in [(0, 0xfee0_1000), (4, 0), (8, data), (12, mask)] {
            self.function.bar_write(bar, at + offset, &u32::to_le_bytes(word));
        }
    }

    /// Offset and id of each capability that the guest finds.
    pub fn capabilities(&mut self) -> Vec<(u16, u8)> {
        let mut found = Vec::new();
        let mut at = u16::from(self.u8(0x34));
        while at != 0 {
            found.push((at, self.u8(at)));
            assert!(found.len() < 48, "the guest's chain does not end");
            at = self.u8(at + 1).into();
        }
        found
    }

    /// Guest ranges that are mapped now, in order.
    pub fn mapped(&self) -> Vec<Span> {
        let mut spans: Vec<Span> = self.mapper.mappings().iter().map(|mapping| mapping.span).collect();
        spans.sort();
        spans
    }

    /// The message data of each vector's event at VFIO; `None` for vectors without one.
    pub fn bound(&self) -> Vec<Option<u32>> {
        let vectors = self.msi.vectors();
        let data = |fd: i32| {
            let vector = vectors.iter().find(|vector| vector_fd(vector) == fd).unwrap();
            vector.message().unwrap().data
        };
        self.device.with(|state| state.events.iter().map(|event| event.map(data)).collect())
    }
}

fn vector_fd(vector: &Arc<crate::virtio::testkit::FakeVector>) -> i32 {
    crate::irq::MsiVector::event(vector.as_ref()).as_raw_fd()
}
