//! The capabilities that several functions have: power management, PCI Express, MSI-X.

use super::config::{ConfigError, ConfigSpace};
use super::regs;

/// Kind of a PCI Express function, as its capability tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpressKind {
    /// A device behind a root port.
    Endpoint,
    /// A device on the root bus.
    RootComplexEndpoint,
    /// A root port with this slot number.
    RootPort {
        /// Physical slot number, below 8192.
        slot: u16,
    },
}

/// Power management: D0 and D3hot, and going to D0 loses nothing (No_Soft_Reset), so that a driver need not set up the
/// device again after the guest slept. Its offset.
pub fn add_power_management(config: &mut ConfigSpace) -> Result<u16, ConfigError> {
    let version_3 = 3u16;
    let no_soft_reset = 1u16 << 3;
    let mut body = [0; 6];
    body[..2].copy_from_slice(&version_3.to_le_bytes());
    body[2..4].copy_from_slice(&no_soft_reset.to_le_bytes());
    config.add_capability(regs::CAP_PM, &body, &[0, 0, 3, 0])
}

/// PCI Express, version 2, 2.5 GT/s, one lane. Its offset.
pub fn add_express(config: &mut ConfigSpace, kind: ExpressKind) -> Result<u16, ConfigError> {
    let mut body = [0u8; 0x3a];
    let mut writable = [0u8; 0x3a];
    let (code, slot) = match kind {
        ExpressKind::Endpoint => (0u16, None),
        ExpressKind::RootComplexEndpoint => (9, None),
        ExpressKind::RootPort { slot } => (4, Some(slot)),
    };
    let mut put = |register: usize, bytes: &[u8]| body[register - 2..][..bytes.len()].copy_from_slice(bytes);
    let slot_implemented = if slot.is_some() { 1u16 << 8 } else { 0 };
    put(0x02, &(2 | code << 4 | slot_implemented).to_le_bytes());
    // Role-based error reporting; 128 bytes of payload.
    put(0x04, &(1u32 << 15).to_le_bytes());
    if code != 9 {
        let link = 1u32 | 1 << 4 | u32::from(slot.unwrap_or(0) & 0xff) << 24;
        put(0x0c, &link.to_le_bytes());
        put(0x12, &(1u16 | 1 << 4).to_le_bytes());
        put(0x2c, &(1u32 << 1).to_le_bytes());
        put(0x30, &1u16.to_le_bytes());
    }
    if let Some(slot) = slot {
        put(0x14, &(u32::from(slot & 0x1fff) << 19).to_le_bytes());
    }
    // Device control, link control, slot control, root control, device control 2.
    for (register, mask) in [(0x08, 0x7fff_u16), (0x10, 0x01fb), (0x18, 0), (0x1c, 0x001f), (0x28, 0x00ff)] {
        writable[register - 2..register].copy_from_slice(&mask.to_le_bytes());
    }
    config.add_capability(regs::CAP_EXPRESS, &body, &writable)
}

/// Where the MSI-X structures of a function lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MsixLayout {
    /// Vectors, 1 to 2048.
    pub vectors: u16,
    /// BAR and offset (a multiple of 8) of the table: 16 bytes for each vector.
    pub table: (u8, u32),
    /// BAR and offset (a multiple of 8) of the pending bits.
    pub pending: (u8, u32),
}

/// MSI-X. Its offset; message control is at offset + 2.
pub fn add_msix(config: &mut ConfigSpace, layout: &MsixLayout) -> Result<u16, ConfigError> {
    let mut body = [0; 10];
    body[..2].copy_from_slice(&layout.vectors.saturating_sub(1).to_le_bytes());
    body[2..6].copy_from_slice(&(layout.table.1 & !7 | u32::from(layout.table.0)).to_le_bytes());
    body[6..].copy_from_slice(&(layout.pending.1 & !7 | u32::from(layout.pending.0)).to_le_bytes());
    config.add_capability(regs::CAP_MSIX, &body, &[0, 0xc0])
}
