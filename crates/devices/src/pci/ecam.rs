//! Configuration space mapped into memory.

use std::sync::Arc;

use data_model::{Bdf, Span};

use super::root::PciRoot;
use crate::bus::BusDevice;

/// Bytes of ECAM for buses 0 to `last`.
pub fn ecam_bytes(last: u8) -> u64 {
    (u64::from(last) + 1) << 20
}

/// Memory-mapped configuration space: offset = bus ‖ device ‖ function ‖ register.
pub struct Ecam(pub Arc<PciRoot>);

impl Ecam {
    /// The whole window from `base` on, for buses 0 to `last`.
    pub fn span(base: u64, last: u8) -> Option<Span> {
        Span::from_len(base, ecam_bytes(last))
    }
}

/// Function and register at an offset into the window.
fn ecam_address(offset: u64) -> (Bdf, u16) {
    (Bdf::from_id((offset >> 12) as u16), offset as u16 & 0xfff)
}

impl BusDevice for Ecam {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        let (at, register) = ecam_address(offset);
        self.0.config_read(at, register, data);
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        let (at, register) = ecam_address(offset);
        self.0.config_write(at, register, data);
    }
}
