//! The configuration space of an emulated function: an image, and for each bit whether the guest may write or clear it.
//!
//! Invariant: what no mask names never changes by a guest write. BARs need no code of their own: their address bits are
//! writable, the bits below their size are not, so that sizing works by itself.

use data_model::Span;
use thiserror::Error;

use super::BarWindow;
use super::bar::{Bar, BarKind, BarSet};
use super::regs;

/// Bytes of configuration space.
pub const CONFIG_BYTES: usize = 4096;

/// First byte after the standard header: capabilities go from here on.
const FIRST_CAPABILITY: u16 = 0x40;

/// Where extended capabilities start.
const FIRST_EXTENDED: u16 = 0x100;

/// What a function is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Vendor id.
    pub vendor: u16,
    /// Device id.
    pub device: u16,
    /// Class in bits 16–23, subclass in 8–15, programming interface in 0–7.
    pub class: u32,
    /// Revision id.
    pub revision: u8,
    /// Subsystem vendor and subsystem id; a bridge has none in its header.
    pub subsystem: (u16, u16),
}

/// A configuration space could not be laid out.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// The capabilities do not fit.
    #[error("capability {id:#x} of {len} bytes does not fit in the configuration space")]
    NoRoom {
        /// Capability id.
        id: u16,
        /// Bytes with header.
        len: usize,
    },
    /// A BAR that the header cannot hold.
    #[error("BAR {bar}: {size} bytes of this kind cannot be placed there")]
    BadBar {
        /// Index, 0 to 5.
        bar: u8,
        /// Bytes.
        size: u64,
    },
}

/// The space of one function.
#[derive(Clone)]
pub struct ConfigSpace {
    bytes: Vec<u8>,
    writable: Vec<u8>,
    clearable: Vec<u8>,
    power_on: Vec<u8>,
    bars: BarSet,
    last_capability: Option<u16>,
    free: u16,
    last_extended: Option<u16>,
    free_extended: u16,
}

impl ConfigSpace {
    /// A type 0 header (a device). The guest may write the command register and the interrupt line.
    pub fn device(identity: &Identity) -> ConfigSpace {
        let mut config = ConfigSpace::empty(identity, 6);
        config.set_u16(regs::SUBSYSTEM_VENDOR, identity.subsystem.0);
        config.set_u16(regs::SUBSYSTEM_ID, identity.subsystem.1);
        config
    }

    /// A type 1 header (a bridge): bus numbers, windows and bridge control are left to the caller to allow.
    pub fn bridge(identity: &Identity) -> ConfigSpace {
        let mut config = ConfigSpace::empty(identity, 2);
        config.set_u8(regs::HEADER_TYPE, 1);
        config
    }

    fn empty(identity: &Identity, bars: u8) -> ConfigSpace {
        let zeros = vec![0; CONFIG_BYTES];
        let mut config = ConfigSpace {
            bytes: zeros.clone(),
            writable: zeros.clone(),
            clearable: zeros.clone(),
            power_on: zeros,
            bars: BarSet::new(bars),
            last_capability: None,
            free: FIRST_CAPABILITY,
            last_extended: None,
            free_extended: FIRST_EXTENDED,
        };
        config.set_u16(regs::VENDOR, identity.vendor);
        config.set_u16(regs::DEVICE, identity.device);
        config.set_u32(regs::REVISION, identity.class << 8 | u32::from(identity.revision));
        config.allow(regs::COMMAND, &regs::COMMAND_WRITABLE.to_le_bytes());
        config.allow(regs::INTERRUPT_LINE, &[0xff]);
        config
    }

    /// Guest read; beyond the end of the space ones.
    pub fn read(&self, offset: u16, data: &mut [u8]) {
        for (n, byte) in data.iter_mut().enumerate() {
            *byte = self.bytes.get(usize::from(offset) + n).copied().unwrap_or(0xff);
        }
    }

    /// Guest write: changes writable bits, clears those that are cleared by writing one.
    pub fn write(&mut self, offset: u16, data: &[u8]) {
        for (n, value) in data.iter().enumerate() {
            let at = usize::from(offset) + n;
            let (Some(byte), Some(writable), Some(clearable)) =
                (self.bytes.get_mut(at), self.writable.get(at), self.clearable.get(at))
            else {
                return;
            };
            *byte = (*byte & !writable) | (value & writable);
            *byte &= !(value & clearable);
        }
    }

    /// Lets the guest write the bits of `mask` from `offset` on.
    pub fn allow(&mut self, offset: u16, mask: &[u8]) {
        for (place, bits) in self.writable.iter_mut().skip(offset.into()).zip(mask) {
            *place |= bits;
        }
    }

    /// Lets the guest clear the bits of `mask` by writing ones.
    pub fn allow_clear(&mut self, offset: u16, mask: &[u8]) {
        for (place, bits) in self.clearable.iter_mut().skip(offset.into()).zip(mask) {
            *place |= bits;
        }
    }

    /// Device side: puts bytes in place whatever the masks say.
    pub fn set(&mut self, offset: u16, data: &[u8]) {
        for (place, byte) in self.bytes.iter_mut().skip(offset.into()).zip(data) {
            *place = *byte;
        }
    }

    /// Device side: one byte.
    pub fn set_u8(&mut self, offset: u16, value: u8) {
        self.set(offset, &[value]);
    }

    /// Device side: a 16-bit word.
    pub fn set_u16(&mut self, offset: u16, value: u16) {
        self.set(offset, &value.to_le_bytes());
    }

    /// Device side: a 32-bit word.
    pub fn set_u32(&mut self, offset: u16, value: u32) {
        self.set(offset, &value.to_le_bytes());
    }

    /// A byte as it stands.
    pub fn u8(&self, offset: u16) -> u8 {
        let mut raw = [0; 1];
        self.read(offset, &mut raw);
        raw[0]
    }

    /// A 16-bit word as it stands.
    pub fn u16(&self, offset: u16) -> u16 {
        let mut raw = [0; 2];
        self.read(offset, &mut raw);
        u16::from_le_bytes(raw)
    }

    /// A 32-bit word as it stands.
    pub fn u32(&self, offset: u16) -> u32 {
        let mut raw = [0; 4];
        self.read(offset, &mut raw);
        u32::from_le_bytes(raw)
    }

    /// Adds a BAR of `size` bytes (a power of two, at least 16; 4 for ports). A 64-bit one takes `bar + 1` too.
    pub fn add_bar(&mut self, bar: u8, kind: BarKind, size: u64) -> Result<(), ConfigError> {
        let entry = self.bars.add(bar, kind, size).ok_or(ConfigError::BadBar { bar, size })?;
        let at = entry.register();
        self.set_u32(at, kind.type_bits());
        let mask = entry.address_mask();
        self.allow(at, &(mask as u32).to_le_bytes());
        if kind.is_64() {
            self.allow(at + 4, &((mask >> 32) as u32).to_le_bytes());
        }
        Ok(())
    }

    /// The BAR with this index.
    pub fn bar(&self, bar: u8) -> Option<Bar> {
        self.bars.get(bar)
    }

    /// What the BARs decode now, as `PciFunction::windows` wants it.
    pub fn windows(&self) -> Vec<BarWindow> {
        let command = self.u16(regs::COMMAND);
        let window = |bar: Bar| {
            let enable = if bar.kind.is_io() { regs::COMMAND_IO } else { regs::COMMAND_MEMORY };
            if command & enable == 0 {
                return None;
            }
            let mut address = u64::from(self.u32(bar.register()));
            if bar.kind.is_64() {
                address |= u64::from(self.u32(bar.register() + 4)) << 32;
            }
            let mask = bar.address_mask();
            let start = address & mask;
            // Nothing programmed, or the all-ones pattern of a guest that asks for the size.
            let programmed = start != 0 && start != mask;
            let span = Span::from_len(start, bar.size).filter(|_| programmed)?;
            Some(BarWindow { bar: bar.index, span, io: bar.kind.is_io() })
        };
        self.bars.iter().filter_map(window).collect()
    }

    /// Adds a standard capability: `body` follows the id and the next pointer, `writable` masks its bits (may be
    /// shorter). Its offset.
    pub fn add_capability(&mut self, id: u8, body: &[u8], writable: &[u8]) -> Result<u16, ConfigError> {
        let len = body.len() + 2;
        let at = self.free;
        let end = usize::from(at) + len;
        if end > usize::from(FIRST_EXTENDED) {
            return Err(ConfigError::NoRoom { id: id.into(), len });
        }
        self.set_u8(self.last_capability.map_or(regs::CAPABILITIES, |last| last + 1), at as u8);
        self.set_u16(regs::STATUS, self.u16(regs::STATUS) | regs::STATUS_CAPABILITIES);
        self.set_u8(at, id);
        self.set(at + 2, body);
        self.allow(at + 2, writable);
        self.last_capability = Some(at);
        self.free = ((end + 3) & !3) as u16;
        Ok(at)
    }

    /// Adds an extended capability: `body` follows its header of four bytes. Its offset.
    pub fn add_extended(
        &mut self,
        id: u16,
        version: u8,
        body: &[u8],
        writable: &[u8],
    ) -> Result<u16, ConfigError> {
        let len = body.len() + 4;
        let at = self.free_extended;
        let end = usize::from(at) + len;
        if end > CONFIG_BYTES {
            return Err(ConfigError::NoRoom { id, len });
        }
        if let Some(last) = self.last_extended {
            self.set_u32(last, self.u32(last) | u32::from(at) << 20);
        }
        self.set_u32(at, u32::from(id) | u32::from(version & 0xf) << 16);
        self.set(at + 4, body);
        self.allow(at + 4, writable);
        self.last_extended = Some(at);
        self.free_extended = ((end + 3) & !3) as u16;
        Ok(at)
    }

    /// Takes the present content as the state of power-on.
    pub fn seal(&mut self) {
        self.power_on.clone_from(&self.bytes);
    }

    /// Back to the state that was sealed.
    pub fn reset(&mut self) {
        self.bytes.clone_from(&self.power_on);
    }
}

#[cfg(test)]
mod tests;
