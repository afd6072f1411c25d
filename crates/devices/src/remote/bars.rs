//! Where the windows of a function can be, whatever its process says.
//!
//! Invariant: a function has at most one window for each of its BARs, of the size that the BAR had when it was first seen, and
//! at the address that the guest wrote there.

use std::sync::Arc;

use data_model::Span;
use sync::Mutex;

use crate::pci::{BarWindow, regs};

/// Bytes of the address registers.
const BYTES: usize = 4 * 6;

/// The BARs of a function, for who asks it and for who answers its requests. Locked for a look only, never while somebody
/// waits for an answer.
#[derive(Clone, Default)]
pub struct Places(Arc<Mutex<Bars>>);

impl Places {
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Bars) -> T) -> T {
        look(&mut self.0.lock())
    }
}

/// The BARs of a function.
#[derive(Default)]
pub(super) struct Bars {
    /// As they were first seen: bytes, and whether they are ports.
    shapes: [Option<(u64, bool)>; 6],
    /// What was last written to the registers.
    written: [u8; BYTES],
}

impl Bars {
    /// A write to the configuration space, any of it.
    pub fn write(&mut self, offset: u16, data: &[u8]) {
        for (at, byte) in (usize::from(offset)..).zip(data) {
            let place = at.checked_sub(usize::from(regs::BAR0)).and_then(|at| self.written.get_mut(at));
            place.into_iter().for_each(|place| *place = *byte);
        }
    }

    /// Power-on: nothing was written.
    pub fn reset(&mut self) {
        self.written = [0; BYTES];
    }

    /// What is wrong with an answer; BARs seen for the first time are learnt. Enumeration shows all of them before the guest
    /// runs, but for ports behind a root port.
    pub fn check(&mut self, windows: &[BarWindow]) -> Result<(), &'static str> {
        let mut told = [false; 6];
        for window in windows {
            let bar = usize::from(window.bar);
            let Some(told) = told.get_mut(bar) else { return Err("a BAR that no function has") };
            if std::mem::replace(told, true) {
                return Err("two windows for one BAR");
            }
            let size = window.span.len().filter(|size| size.is_power_of_two());
            let size = size.ok_or("a window that no BAR can have")?;
            if !self.is_written(bar, window.span.start(), size) {
                return Err("a window where nobody has put it");
            }
            let shape = Some((size, window.io));
            match self.shapes.get_mut(bar) {
                Some(known) if known.is_none() => *known = shape,
                Some(known) if *known == shape => {}
                _ => return Err("a BAR that is not what it was"),
            }
        }
        Ok(())
    }

    /// Whether `span` lies where a BAR was put. As long as no window was seen, which is before the guest runs, nobody knows the
    /// BARs' sizes, and any place will do.
    pub fn cover(&self, span: &Span) -> bool {
        let inside = |(bar, shape): (usize, &Option<(u64, bool)>)| {
            shape.is_some_and(|(size, io)| {
                let start = span.start() & !(size - 1);
                !io && span.last() & !(size - 1) == start && self.is_written(bar, start, size)
            })
        };
        self.shapes.iter().all(Option::is_none) || self.shapes.iter().enumerate().any(inside)
    }

    /// Whether the registers put a BAR of this size there, alone or with the next one as the upper half. Alone counts for those
    /// of 64 bits too: a reset of the function, which nobody here hears of, leaves zeros in the upper half.
    fn is_written(&self, bar: usize, start: u64, size: u64) -> bool {
        let word = |bar: usize| {
            let bytes = self.written.get(4 * bar..4 * bar + 4)?;
            Some(u64::from(u32::from_le_bytes(bytes.try_into().ok()?)))
        };
        let Some(low) = word(bar) else { return false };
        let high = word(bar + 1).unwrap_or(0) << 32;
        [low, high | low].iter().any(|address| address & !(size - 1) == start)
    }
}

#[cfg(test)]
mod tests;
