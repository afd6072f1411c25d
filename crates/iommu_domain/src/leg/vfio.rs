//! The kernel behind a [`Type1Leg`](super::Type1Leg): a VFIO container, and the way to reset the devices of its group.
//!
//! Calls that change mappings are timed. Two readings of the clock are a twentieth of a short call, so of those only the first are
//! timed each; then one stands for many.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::HostSlice;
use data_model::Span;
use vfio::{Container, DmaPerm};

use super::DmaHost;
use crate::Perm;

/// Calls that are timed each, whatever their length: of few calls one that was slow must not stand for others.
const FIRST: u64 = 256;
/// After them one short call is timed for so many.
const STANDS_FOR: u32 = 16;
/// Bytes of the longest range whose call is short. A long one pins for a while, and few are alike.
const SHORT: u64 = 64 << 10;

/// Resets every assigned device of a group; whoever holds their descriptors carries it out.
pub type ResetDevices = Box<dyn Fn() -> io::Result<()> + Send>;

/// A container of its own for one host group.
pub struct VfioHost {
    container: Arc<Container>,
    reset: ResetDevices,
    /// Calls so far.
    calls: Cell<u64>,
    time: Cell<Duration>,
}

impl VfioHost {
    /// The calls of `container`; `reset` resets the devices that it serves.
    pub fn new(container: Arc<Container>, reset: ResetDevices) -> VfioHost {
        VfioHost { container, reset, calls: Cell::new(0), time: Cell::new(Duration::ZERO) }
    }

    /// Makes a call about `bytes` of address space.
    fn timed<T>(&self, bytes: u64, call: impl FnOnce() -> T) -> T {
        let count = self.calls.get();
        self.calls.set(count.wrapping_add(1));
        let weight = match (bytes > SHORT || count < FIRST, count % u64::from(STANDS_FOR)) {
            (true, _) => 1,
            (false, 0) => STANDS_FOR,
            (false, _) => return call(),
        };
        let before = Instant::now();
        let answer = call();
        let spent = before.elapsed().saturating_mul(weight);
        self.time.set(self.time.get().saturating_add(spent));
        answer
    }
}

impl DmaHost for VfioHost {
    fn map(&self, iova: Span, memory: HostSlice<'_>, perm: Perm) -> io::Result<()> {
        let perm = DmaPerm { read: perm.read, write: perm.write };
        self.timed(memory.len(), || self.container.map_memory(iova, memory, perm))
    }

    fn unmap(&self, iova: Span) -> io::Result<u64> {
        self.timed(iova.len().unwrap_or(u64::MAX), || self.container.unmap_dma(iova))
    }

    fn unmap_all(&self) -> io::Result<u64> {
        self.timed(u64::MAX, || self.container.unmap_all())
    }

    fn available(&self) -> Option<u32> {
        self.container.info().ok()?.dma_avail
    }

    fn time(&self) -> Duration {
        self.time.get()
    }

    fn reset_devices(&self) -> io::Result<()> {
        (self.reset)()
    }
}

#[cfg(test)]
mod tests;
