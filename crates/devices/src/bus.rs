//! A bus of trapped addresses: MMIO, or the x86 ports.
//!
//! Invariant: the ranges on it never overlap.

use std::collections::BTreeMap;
use std::sync::Arc;

use data_model::Span;
use sync::{Mutex, RwLock};
use thiserror::Error;

/// A device that answers accesses to a range. Reads fill all of `data`; what means nothing reads as ones.
pub trait BusDevice: Send {
    /// Reads `data.len()` bytes at `offset` from the start of the range.
    fn read(&mut self, offset: u64, data: &mut [u8]);

    /// Writes `data` at `offset` from the start of the range.
    fn write(&mut self, offset: u64, data: &[u8]);
}

/// A device as the bus holds it.
pub type SharedDevice = Arc<Mutex<dyn BusDevice>>;

/// Two devices want one address.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("address range {wanted} is taken: a device sits at {taken}")]
pub struct BusConflict {
    /// What was asked for.
    pub wanted: Span,
    /// What is there.
    pub taken: Span,
}

/// The devices of one address space.
#[derive(Default)]
pub struct Bus {
    devices: RwLock<BTreeMap<u64, (Span, SharedDevice)>>,
}

impl Bus {
    /// Puts `device` at `span`.
    pub fn insert(&self, span: Span, device: SharedDevice) -> Result<(), BusConflict> {
        let mut devices = self.devices.write();
        if let Some((_, (taken, _))) = devices.range(..=span.last()).next_back()
            && taken.overlaps(&span)
        {
            return Err(BusConflict { wanted: span, taken: *taken });
        }
        devices.insert(span.start(), (span, device));
        Ok(())
    }

    /// Takes the device at exactly `span` away; whether there was one.
    pub fn remove(&self, span: Span) -> bool {
        let mut devices = self.devices.write();
        if devices.get(&span.start()).is_none_or(|(taken, _)| *taken != span) {
            return false;
        }
        devices.remove(&span.start()).is_some()
    }

    /// Reads at `address`; all ones when nobody answers for the whole access. Whether somebody did.
    pub fn read(&self, address: u64, data: &mut [u8]) -> bool {
        data.fill(0xff);
        let Some((offset, device)) = self.find(address, data.len()) else { return false };
        device.lock().read(offset, data);
        true
    }

    /// Writes at `address`; lost when nobody answers for the whole access. Whether somebody did.
    pub fn write(&self, address: u64, data: &[u8]) -> bool {
        let Some((offset, device)) = self.find(address, data.len()) else { return false };
        device.lock().write(offset, data);
        true
    }

    /// The device for an access, without the bus lock held: a device may move ranges while it answers.
    fn find(&self, address: u64, len: usize) -> Option<(u64, SharedDevice)> {
        let access = Span::from_len(address, len as u64)?;
        let devices = self.devices.read();
        let (_, (span, device)) = devices.range(..=address).next_back()?;
        span.covers(&access).then(|| (address - span.start(), device.clone()))
    }
}
