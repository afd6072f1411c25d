//! The kernel behind a [`Type1Leg`](super::Type1Leg): a VFIO container, and the way to reset the devices of its group.
//!
//! Each call that changes mappings is timed with one pair of clock readings, which the vDSO answers: tens of nanoseconds beside a
//! system call of microseconds.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::HostSlice;
use data_model::Span;
use vfio::{Container, DmaPerm};

use super::DmaHost;
use crate::Perm;

/// Resets every assigned device of a group; whoever holds their descriptors carries it out.
pub type ResetDevices = Box<dyn Fn() -> io::Result<()> + Send>;

/// A container of its own for one host group.
pub struct VfioHost {
    container: Arc<Container>,
    reset: ResetDevices,
    time: Cell<Duration>,
}

impl VfioHost {
    /// The calls of `container`; `reset` resets the devices that it serves.
    pub fn new(container: Arc<Container>, reset: ResetDevices) -> VfioHost {
        VfioHost { container, reset, time: Cell::new(Duration::ZERO) }
    }

    fn timed<T>(&self, call: impl FnOnce() -> T) -> T {
        let before = Instant::now();
        let answer = call();
        self.time.set(self.time.get().saturating_add(before.elapsed()));
        answer
    }
}

impl DmaHost for VfioHost {
    fn map(&self, iova: Span, memory: HostSlice<'_>, perm: Perm) -> io::Result<()> {
        let perm = DmaPerm { read: perm.read, write: perm.write };
        self.timed(|| self.container.map_memory(iova, memory, perm))
    }

    fn unmap(&self, iova: Span) -> io::Result<u64> {
        self.timed(|| self.container.unmap_dma(iova))
    }

    fn unmap_all(&self) -> io::Result<u64> {
        self.timed(|| self.container.unmap_all())
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
