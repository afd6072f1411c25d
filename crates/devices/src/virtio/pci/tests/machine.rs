//! A fake device on PCI, and a driver's hand on its registers.

use std::sync::mpsc::Receiver;

use base::GuestMem;
use sync::Mutex;

use super::*;
use crate::virtio::testkit::{
    FakeDoorbells, FakeLine, FakeMsiController, FakeVector, RingLayout, SECOND, ram,
};
use crate::virtio::{ActivateError, Activation, F_EVENT_IDX, VirtioInterrupt};

pub const RAM: u64 = 1 << 20;
pub const BAR_AT: u64 = 0xe000_0000;
pub const V1: u64 = common::F_VERSION_1;

#[derive(Default)]
pub struct Seen {
    pub activations: Vec<Activation>,
    pub resets: u32,
    pub system_resets: u32,
    /// The next reset waits until something comes from here.
    pub gate: Option<Receiver<()>>,
}

pub struct FakeDevice {
    /// Virtio device id.
    pub id: u16,
    pub seen: Arc<Mutex<Seen>>,
    pub config: [u8; 8],
    pub fails: bool,
}

impl FakeDevice {
    /// One that passes for a disk.
    pub fn new(seen: Arc<Mutex<Seen>>) -> FakeDevice {
        FakeDevice { id: 2, seen, config: *b"config!!", fails: false }
    }
}

impl VirtioDevice for FakeDevice {
    fn name(&self) -> &'static str {
        "virtio-fake"
    }

    fn device_id(&self) -> u16 {
        self.id
    }

    fn is_steadfast(&self) -> bool {
        self.id == virtio_iommu_spec::DEVICE_ID
    }

    fn features(&self) -> u64 {
        F_EVENT_IDX | 5
    }

    fn queue_sizes(&self) -> &[u16] {
        &[64, 16]
    }

    fn config_read(&self, offset: u64, data: &mut [u8]) {
        for (n, byte) in data.iter_mut().enumerate() {
            *byte = self.config.get(offset as usize + n).copied().unwrap_or(0);
        }
    }

    fn config_write(&mut self, offset: u64, data: &[u8], features: u64) -> bool {
        // Byte 0 alone may be written, once feature 4 is negotiated.
        let allowed = offset == 0 && data.len() == 1 && features & 4 != 0;
        if allowed {
            self.config[0] = data[0];
        }
        allowed
    }

    fn activate(&mut self, activation: Activation) -> Result<(), ActivateError> {
        if self.fails {
            return Err(ActivateError { device: self.name(), reason: "no memory".into() });
        }
        self.seen.lock().activations.push(activation);
        Ok(())
    }

    fn reset(&mut self) {
        self.seen.lock().resets += 1;
        let gate = self.seen.lock().gate.take();
        if let Some(gate) = gate {
            _ = gate.recv();
        }
    }

    fn system_reset(&mut self) {
        self.seen.lock().system_resets += 1;
    }
}

pub struct Machine {
    pub mem: Arc<GuestMem>,
    pub msi: Arc<FakeMsiController>,
    pub doorbells: Arc<FakeDoorbells>,
    pub line: Arc<FakeLine>,
    pub seen: Arc<Mutex<Seen>>,
    pub pci: VirtioPciDevice,
}

pub fn machine_with(device: Box<dyn VirtioDevice>, seen: Arc<Mutex<Seen>>) -> Machine {
    let mem = ram(RAM);
    machine_of(device, seen, mem.clone(), mem.into())
}

/// The same with a device that sees `mem` as `dma`.
pub fn machine_of(
    device: Box<dyn VirtioDevice>,
    seen: Arc<Mutex<Seen>>,
    mem: Arc<GuestMem>,
    dma: Dma,
) -> Machine {
    let msi = Arc::new(FakeMsiController::default());
    let (doorbells, line) = (Arc::new(FakeDoorbells::default()), Arc::new(FakeLine::default()));
    let deps = PciDeps {
        at: Bdf::new(0, 3, 0).unwrap(),
        mem: dma,
        msi: msi.clone(),
        doorbells: doorbells.clone(),
        line: Some(line.clone()),
    };
    let mut pci = VirtioPciDevice::new(device, deps).unwrap();
    pci.config_write(regs::BAR0, &(BAR_AT as u32).to_le_bytes());
    // Nothing here takes long, but the machine that tests may be slow.
    pci.grace = 60 * SECOND;
    let mut machine = Machine { mem, msi, doorbells, line, seen, pci };
    machine.command(6);
    machine
}

pub fn machine() -> Machine {
    let seen = Arc::new(Mutex::new(Seen::default()));
    machine_with(Box::new(FakeDevice::new(seen.clone())), seen)
}

impl Machine {
    pub fn get(&mut self, offset: u64, len: usize) -> u64 {
        let mut raw = [0; 8];
        self.pci.bar_read(layout::BAR, offset, &mut raw[..len]);
        u64::from_le_bytes(raw)
    }

    pub fn put(&mut self, offset: u64, value: u64, len: usize) {
        self.pci.bar_write(layout::BAR, offset, &value.to_le_bytes()[..len]);
    }

    pub fn status(&mut self) -> u64 {
        self.get(20, 1)
    }

    /// Everything up to FEATURES_OK.
    pub fn negotiate(&mut self, features: u64) {
        for status in [0, 1, 3] {
            self.put(20, status, 1);
        }
        for select in 0..2 {
            self.put(8, select, 4);
            self.put(12, features >> (32 * select) & 0xffff_ffff, 4);
        }
        self.put(20, 0xb, 1);
    }

    pub fn set_queue(&mut self, index: u16, size: u16, ring: RingLayout) {
        self.put(22, index.into(), 2);
        self.put(24, size.into(), 2);
        for (offset, address) in [(32, ring.desc), (40, ring.avail), (48, ring.used)] {
            self.put(offset, address & 0xffff_ffff, 4);
            self.put(offset + 4, address >> 32, 4);
        }
        self.put(28, 1, 2);
    }

    /// Writes the command register.
    pub fn command(&mut self, bits: u16) {
        self.pci.config_write(regs::COMMAND, &bits.to_le_bytes());
    }

    pub fn set_vector(&mut self, vector: u64, data: u32) {
        self.put(layout::MSIX_TABLE + 16 * vector, 0xfee0_0000, 8);
        self.put(layout::MSIX_TABLE + 16 * vector + 8, data.into(), 4);
        self.put(layout::MSIX_TABLE + 16 * vector + 12, 0, 4);
    }

    pub fn enable_msix(&mut self) {
        let at = self.pci.places.msix + 2;
        self.pci.config_write(at, &0x8000u16.to_le_bytes());
    }

    pub fn start(&mut self) {
        self.negotiate(V1 | 5);
        self.set_queue(0, 16, RingLayout::at(0x1000, 16));
        self.put(20, 0xf, 1);
    }

    pub fn vector(&self, data: u32) -> Arc<FakeVector> {
        self.msi.with_data(data).unwrap()
    }

    pub fn interrupt(&self) -> Arc<dyn VirtioInterrupt> {
        self.seen.lock().activations[0].interrupt.clone()
    }
}
