//! The x86 port mechanism: an address register at 0xcf8, data at 0xcfc to 0xcff, and between them the reset register.

use std::sync::Arc;

use data_model::{Bdf, Span};

use super::root::PciRoot;
use crate::bus::BusDevice;
use crate::platform::{MachineControl, ResetRegister};

/// The ports 0xcf8 to 0xcff.
pub struct ConfigPorts {
    root: Arc<PciRoot>,
    address: u32,
    reset: ResetRegister,
}

impl ConfigPorts {
    /// First and last port.
    pub const SPAN: Span = match Span::new(0xcf8, 0xcff) {
        Some(span) => span,
        None => Span::ALL,
    };

    /// The ports for `root`; a reset asked for at 0xcf9 goes to `machine`.
    pub fn new(root: Arc<PciRoot>, machine: Arc<dyn MachineControl>) -> ConfigPorts {
        ConfigPorts { root, address: 0, reset: ResetRegister::new(machine) }
    }

    /// The function and register that the data ports stand for; `None` while the enable bit is off.
    fn target(&self, offset: u64) -> Option<(Bdf, u16)> {
        let enabled = self.address & 1 << 31 != 0;
        let register = (self.address & 0xfc) as u16 + (offset & 3) as u16;
        enabled.then(|| (Bdf::from_id((self.address >> 8) as u16), register))
    }
}

impl BusDevice for ConfigPorts {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        data.fill(0xff);
        match offset {
            0 if data.len() == 4 => data.copy_from_slice(&self.address.to_le_bytes()),
            1 if data.len() == 1 => data.fill(self.reset.read()),
            4..8 if data.len() as u64 <= 8 - offset => {
                if let Some((at, register)) = self.target(offset) {
                    self.root.config_read(at, register, data);
                }
            }
            _ => {}
        }
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        match (offset, data) {
            (0, [a, b, c, d]) => self.address = u32::from_le_bytes([*a, *b, *c, *d]) & 0x80ff_fffc,
            (1, [value]) => self.reset.write(*value),
            (4..8, _) if data.len() as u64 <= 8 - offset => {
                if let Some((at, register)) = self.target(offset) {
                    self.root.config_write(at, register, data);
                }
            }
            _ => {}
        }
    }
}
