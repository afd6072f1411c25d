//! The device as the parts of the function see it: with failures told in bounded number.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use vfio::{AssignedDevice, PciRegion};

use crate::pci::regs;

/// Failures told for one device in all; the guest can provoke any number.
const MOST_COMPLAINTS: u32 = 16;

/// The device of the host.
#[derive(Clone)]
pub(super) struct Host {
    pub device: Arc<dyn AssignedDevice>,
    complaints: Arc<AtomicU32>,
}

impl Host {
    pub fn new(device: Arc<dyn AssignedDevice>) -> Host {
        Host { device, complaints: Arc::default() }
    }

    /// Tells a failure, unless there were too many.
    pub fn complain(&self, what: &str, error: &dyn Display) {
        let told = self.complaints.load(Ordering::Relaxed);
        if told < MOST_COMPLAINTS {
            self.complaints.store(told + 1, Ordering::Relaxed);
            log::warn!("{}: cannot {what}: {error}", self.device.name());
        }
    }

    /// Reads a region; ones when it cannot be read.
    pub fn read(&self, region: PciRegion, offset: u64, data: &mut [u8]) {
        if let Err(error) = self.device.read(region, offset, data) {
            data.fill(0xff);
            self.complain(&format!("read {region:?} at {offset:#x}"), &error);
        }
    }

    /// Writes a region; lost when it cannot be written.
    pub fn write(&self, region: PciRegion, offset: u64, data: &[u8]) {
        if let Err(error) = self.device.write(region, offset, data) {
            self.complain(&format!("write {region:?} at {offset:#x}"), &error);
        }
    }

    /// Sets the physical command register; the kernel filters it once more.
    pub fn set_command(&self, command: u16) {
        self.write(PciRegion::Config, regs::COMMAND.into(), &command.to_le_bytes());
    }

    /// No DMA and no decoding from here on, then the device's own reset.
    pub fn quiesce(&self) {
        self.set_command(0);
        if let Err(error) = self.device.reset() {
            self.complain("reset the device (it keeps what its last user left in it)", &error);
        }
    }
}
