//! A PCI Express root port: a bridge from the root bus to one device.
//!
//! It offers access control services, so that a guest puts the device behind it into a group of its own.

use sync::Mutex;

use super::capability::{ExpressKind, add_express, add_power_management};
use super::config::{ConfigError, ConfigSpace, Identity};
use super::function::{BarWindow, PciFunction};
use super::regs;

/// A root port. Bus numbers and windows are as the guest programs them.
pub struct RootPort {
    config: ConfigSpace,
    bus_reset: bool,
}

/// A root port as the root complex holds it.
pub type SharedPort = std::sync::Arc<Mutex<RootPort>>;

impl RootPort {
    /// The port of the slot numbered `slot` (1 and up, each once).
    pub fn new(slot: u16) -> Result<RootPort, ConfigError> {
        // Red Hat's generic root port: Linux binds its port driver by class, not by these numbers.
        let identity = Identity { vendor: 0x1b36, device: 0x000c, class: 0x06_0400, ..Identity::default() };
        let mut config = ConfigSpace::bridge(&identity);
        config.allow(regs::PRIMARY_BUS, &[0xff, 0xff, 0xff]);
        config.allow(regs::IO_BASE, &[0xf0, 0xf0]);
        config.allow(regs::MEMORY_BASE, &[0xf0, 0xff, 0xf0, 0xff]);
        // The low bit of each says that the window has 64 bits.
        config.set(regs::PREFETCH_BASE, &[1, 0, 1, 0]);
        config.allow(regs::PREFETCH_BASE, &[0xf0, 0xff, 0xf0, 0xff]);
        config.allow(regs::PREFETCH_BASE_UPPER, &[0xff; 8]);
        config.allow(regs::BRIDGE_CONTROL, &0x005f_u16.to_le_bytes());
        add_power_management(&mut config)?;
        add_express(&mut config, ExpressKind::RootPort { slot })?;
        // Source validation, translation blocking, request and completion redirect, upstream forwarding.
        let services = 0x1d_u16 | 1 << 1;
        let [low, high] = services.to_le_bytes();
        config.add_extended(regs::EXT_ACS, 1, &[low, high, 0, 0], &[0, 0, low, high])?;
        config.seal();
        Ok(RootPort { config, bus_reset: false })
    }

    /// Number of the bus behind the port; `None` until the guest gives it one.
    pub fn secondary_bus(&self) -> Option<u8> {
        Some(self.config.u8(regs::PRIMARY_BUS + 1)).filter(|bus| *bus != 0)
    }

    /// Whether the guest asked to reset what is behind the port since the last call.
    pub fn take_bus_reset(&mut self) -> bool {
        std::mem::take(&mut self.bus_reset)
    }
}

impl PciFunction for RootPort {
    fn config_read(&mut self, offset: u16, data: &mut [u8]) {
        self.config.read(offset, data);
    }

    fn config_write(&mut self, offset: u16, data: &[u8]) {
        let before = self.config.u16(regs::BRIDGE_CONTROL);
        self.config.write(offset, data);
        let after = self.config.u16(regs::BRIDGE_CONTROL);
        if after & !before & regs::BRIDGE_RESET != 0 {
            self.bus_reset = true;
        }
    }

    fn windows(&self) -> Vec<BarWindow> {
        Vec::new()
    }

    fn bar_read(&mut self, _bar: u8, _offset: u64, data: &mut [u8]) {
        data.fill(0xff);
    }

    fn bar_write(&mut self, _bar: u8, _offset: u64, _data: &[u8]) {}

    fn reset(&mut self) {
        self.config.reset();
    }
}
