//! A GICv2m frame: writes to it become shared interrupts of the GIC.
//!
//! Messages of devices do not come by here: their routes name the interrupt. These are the registers as processors see
//! them.

use std::sync::Arc;

use super::IrqEdge;
use crate::bus::BusDevice;

// All other registers read as zero: also the one at 0xfcc that tells the maker, so that no driver takes the frame for one that
// needs special treatment.

/// First interrupt (bits 25-16) and number of interrupts (bits 9-0).
const TYPER: u64 = 0x008;
/// Raises the interrupt written to it.
const SETSPI: u64 = 0x040;
/// Peripheral id 2, whose bits 7-4 are the architecture's version: 1.
const PIDR2: u64 = 0xfe8;

/// The frame.
pub struct V2mFrame {
    first: u32,
    spis: Vec<Arc<dyn IrqEdge>>,
    complained: bool,
}

impl V2mFrame {
    /// Bytes of the frame.
    pub const LEN: u64 = 0x1000;

    /// A frame for the interrupts `spis`, at most 1020; `first` is the controller's number of the first one.
    pub fn new(first: u32, spis: Vec<Arc<dyn IrqEdge>>) -> V2mFrame {
        V2mFrame { first, spis, complained: false }
    }

    fn register(&self, offset: u64) -> u32 {
        match offset {
            TYPER => (self.first & 0x3ff) << 16 | (self.spis.len() as u32 & 0x3ff),
            PIDR2 => 1 << 4,
            _ => 0,
        }
    }

    fn raise(&mut self, number: u32) {
        let spi = number.checked_sub(self.first).and_then(|index| self.spis.get(index as usize));
        let Some(Err(error)) = spi.map(|spi| spi.raise()) else { return };
        if !std::mem::replace(&mut self.complained, true) {
            log::error!("GICv2m frame: interrupt {number} cannot be raised: {error}");
        }
    }
}

impl BusDevice for V2mFrame {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        let word = if offset.is_multiple_of(4) { self.register(offset).to_le_bytes() } else { [0; 4] };
        data.fill(0);
        for (to, from) in data.iter_mut().zip(word) {
            *to = from;
        }
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        if let (SETSPI, Ok(word)) = (offset, data.try_into()) {
            self.raise(u32::from_le_bytes(word));
        }
    }
}

#[cfg(test)]
mod tests;
