//! MSI-X: the table, the pending bits, and the routes of the vectors.
//!
//! The table keeps state and routes; it does not know who triggers. An emulated device calls [`MsixTable::trigger`]; an
//! assigned device's code gives the vectors' events to VFIO as the returned [`MsixChange`]s tell.
//! Invariant: a vector is routed only while MSI-X is enabled, and neither the function nor the vector is masked.

use std::io;
use std::sync::Arc;

use data_model::Bdf;

use crate::irq::{MsiController, MsiMessage, MsiVector};

/// Most vectors that a function can have.
pub const MAX_VECTORS: u16 = 2048;

/// Enable bit of message control.
const CONTROL_ENABLE: u16 = 1 << 15;
/// Function mask bit of message control.
const CONTROL_MASK: u16 = 1 << 14;

/// Bytes of a table entry.
const ENTRY: usize = 16;

/// What an access changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MsixChange {
    /// MSI-X as a whole was switched on or off.
    Enabled(bool),
    /// The vector now sends its message; its event may be used.
    VectorRouted(u16),
    /// The vector is masked: interrupts are to be kept pending.
    VectorMasked(u16),
    /// The guest unmasked the vector, but the host gives no route: it has none left, or the message is for no doorbell of
    /// the guest. Interrupts stay pending until the guest programs the vector again.
    VectorLost(u16),
}

struct Entry {
    message: MsiMessage,
    masked: bool,
    pending: bool,
    /// Neither masked nor disabled at the last look.
    open: bool,
    routed: bool,
    vector: Option<Arc<dyn MsiVector>>,
}

impl Entry {
    fn new() -> Entry {
        let message = MsiMessage::default();
        Entry { message, masked: true, pending: false, open: false, routed: false, vector: None }
    }

    fn bytes(&self) -> [u8; ENTRY] {
        let mut out = [0; ENTRY];
        out[..8].copy_from_slice(&self.message.address.to_le_bytes());
        out[8..12].copy_from_slice(&self.message.data.to_le_bytes());
        out[12] = self.masked.into();
        out
    }

    /// Takes the bytes over; whether the message differs from before.
    fn load(&mut self, raw: &[u8; ENTRY]) -> bool {
        let word = |at: usize| u32::from_le_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]]);
        let address = (u64::from(word(4)) << 32 | u64::from(word(0))) & !3;
        let before = std::mem::replace(&mut self.message, MsiMessage { address, data: word(8) });
        self.masked = raw[12] & 1 != 0;
        self.message != before
    }

    /// Takes the route away; what the host said if it could not.
    fn unroute(&mut self) -> io::Result<()> {
        match &self.vector {
            Some(vector) if std::mem::take(&mut self.routed) => vector.unroute(),
            _ => Ok(()),
        }
    }
}

/// The MSI-X state of one function.
pub struct MsixTable {
    controller: Arc<dyn MsiController>,
    requester: Bdf,
    entries: Vec<Entry>,
    enabled: bool,
    masked: bool,
    /// A host failure was told once; the guest must not fill the log.
    complained: bool,
}

impl MsixTable {
    /// `count` vectors (1 to 2048) for the function `requester`, all masked.
    pub fn new(controller: Arc<dyn MsiController>, requester: Bdf, count: u16) -> MsixTable {
        let entries = (0..count.clamp(1, MAX_VECTORS)).map(|_| Entry::new()).collect();
        MsixTable { controller, requester, entries, enabled: false, masked: false, complained: false }
    }

    /// Number of vectors.
    pub fn count(&self) -> u16 {
        self.entries.len() as u16
    }

    /// Bytes of the table.
    pub fn table_bytes(&self) -> u64 {
        (self.entries.len() * ENTRY) as u64
    }

    /// Bytes of the pending bits: whole words of 8.
    pub fn pending_bytes(&self) -> u64 {
        self.entries.len().div_ceil(64) as u64 * 8
    }

    /// Whether MSI-X is on; while it is off, the function uses INTx.
    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// Message control as the guest reads it.
    pub fn control(&self) -> u16 {
        let bits = if self.enabled { CONTROL_ENABLE } else { 0 } | if self.masked { CONTROL_MASK } else { 0 };
        bits | (self.count() - 1)
    }

    /// The guest wrote message control.
    pub fn set_control(&mut self, control: u16) -> Vec<MsixChange> {
        let mut changes = Vec::new();
        let enabled = control & CONTROL_ENABLE != 0;
        self.masked = control & CONTROL_MASK != 0;
        if std::mem::replace(&mut self.enabled, enabled) != enabled {
            changes.push(MsixChange::Enabled(enabled));
        }
        self.settle_all(&mut changes);
        changes
    }

    /// Reads the table; zeros beyond its end.
    pub fn table_read(&self, offset: u64, data: &mut [u8]) {
        for (n, byte) in data.iter_mut().enumerate() {
            let at = usize::try_from(offset).unwrap_or(usize::MAX).saturating_add(n);
            *byte = self.entries.get(at / ENTRY).map_or(0, |entry| entry.bytes()[at % ENTRY]);
        }
    }

    /// The guest wrote to the table, any number of bytes anywhere.
    pub fn table_write(&mut self, offset: u64, data: &[u8]) -> Vec<MsixChange> {
        let mut changes = Vec::new();
        let mut at = usize::try_from(offset).unwrap_or(usize::MAX);
        let mut left = data;
        while let Some(entry) = self.entries.get_mut(at / ENTRY)
            && !left.is_empty()
        {
            let len = left.len().min(ENTRY - at % ENTRY);
            let (now, later) = left.split_at(len);
            let mut raw = entry.bytes();
            raw[at % ENTRY..at % ENTRY + len].copy_from_slice(now);
            let moved = entry.load(&raw);
            self.settle(at / ENTRY, moved, &mut changes);
            at += len;
            left = later;
        }
        changes
    }

    /// Reads the pending bits; zeros beyond their end. They cannot be written.
    pub fn pending_read(&self, offset: u64, data: &mut [u8]) {
        for (n, byte) in data.iter_mut().enumerate() {
            let first = usize::try_from(offset).unwrap_or(usize::MAX).saturating_add(n).saturating_mul(8);
            let bit = |k: usize| self.entries.get(first.saturating_add(k)).is_some_and(|entry| entry.pending);
            *byte = (0..8).fold(0, |bits, k| bits | u8::from(bit(k)) << k);
        }
    }

    /// Whether interrupts of this vector are held back at present.
    pub fn is_masked(&self, vector: u16) -> bool {
        self.entries.get(usize::from(vector)).is_none_or(|entry| !entry.routed)
    }

    /// Remembers an interrupt that came while the vector was masked; it is sent when the guest unmasks.
    pub fn set_pending(&mut self, vector: u16) {
        if let Some(entry) = self.entries.get_mut(usize::from(vector)) {
            entry.pending = true;
        }
    }

    /// The vector, once the guest has unmasked it for the first time: its event may be given away.
    pub fn vector(&self, vector: u16) -> Option<Arc<dyn MsiVector>> {
        self.entries.get(usize::from(vector))?.vector.clone()
    }

    /// Sends the vector's message, or keeps it pending while masked. `false`: MSI-X is off or there is no such vector.
    pub fn trigger(&mut self, vector: u16) -> io::Result<bool> {
        let Some(entry) = self.entries.get_mut(usize::from(vector)).filter(|_| self.enabled) else {
            return Ok(false);
        };
        match &entry.vector {
            Some(way) if entry.routed => way.event().write(1)?,
            _ => entry.pending = true,
        }
        Ok(true)
    }

    /// Back to power-on: off, all masked, nothing pending; the vectors are given back.
    pub fn reset(&mut self) {
        for index in 0..self.entries.len() {
            self.close(index);
        }
        self.entries.fill_with(Entry::new);
        (self.enabled, self.masked) = (false, false);
    }

    fn settle_all(&mut self, changes: &mut Vec<MsixChange>) {
        for index in 0..self.entries.len() {
            self.settle(index, false, changes);
        }
    }

    /// Brings the route of one entry in step with its masks; `moved`: its message changed.
    fn settle(&mut self, index: usize, moved: bool, changes: &mut Vec<MsixChange>) {
        let function_open = self.enabled && !self.masked;
        let Some(entry) = self.entries.get_mut(index) else { return };
        let open = function_open && !entry.masked;
        let was_open = std::mem::replace(&mut entry.open, open);
        let number = index as u16;
        match (was_open, open) {
            (true, false) => {
                self.close(index);
                changes.push(MsixChange::VectorMasked(number));
            }
            (_, true) if !was_open || moved => changes.push(self.route(index, number)),
            _ => {}
        }
    }

    fn close(&mut self, index: usize) {
        if let Some(Err(error)) = self.entries.get_mut(index).map(Entry::unroute) {
            self.complain(index, &error);
        }
    }

    fn complain(&mut self, index: usize, error: &io::Error) {
        if !std::mem::replace(&mut self.complained, true) {
            log::error!(
                "{}: MSI-X vector {index}: the host refuses the interrupt route: {error}",
                self.requester
            );
        }
    }

    fn route(&mut self, index: usize, number: u16) -> MsixChange {
        match self.try_route(index) {
            Ok(()) => MsixChange::VectorRouted(number),
            Err(error) => {
                self.complain(index, &error);
                MsixChange::VectorLost(number)
            }
        }
    }

    fn try_route(&mut self, index: usize) -> io::Result<()> {
        let Some(entry) = self.entries.get_mut(index) else { return Ok(()) };
        let vector = match &entry.vector {
            Some(vector) => vector.clone(),
            None => entry.vector.insert(self.controller.vector(self.requester)?).clone(),
        };
        if let Err(error) = vector.route(entry.message) {
            // The first failure is the one to tell.
            let _ = entry.unroute();
            return Err(error);
        }
        entry.routed = true;
        if std::mem::take(&mut entry.pending) {
            vector.event().write(1)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
