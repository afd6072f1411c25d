//! Faults on their way to the driver: collected from any thread, delivered by the worker.
//!
//! Invariant: at most [`CAPACITY`] faults wait; past that they are dropped and counted. A device that faults for ever
//! costs the machine nothing.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base::EventFd;
use iommu_domain::{Perm, TranslateFault};
use sync::Mutex;
use virtio_iommu_spec::{Fault, FaultFlags, FaultReason};

use super::Core;
use crate::virtio::DmaFaults;

/// Faults that wait at most.
const CAPACITY: usize = 64;

/// Takes faults of endpoints.
pub struct FaultSink {
    waiting: Mutex<Waiting>,
    /// Whether a fault waits, for a worker that looks often; written under the lock.
    some: AtomicBool,
    event: EventFd,
}

#[derive(Default)]
struct Waiting {
    faults: VecDeque<Fault>,
    dropped: u64,
}

impl FaultSink {
    /// An empty sink.
    pub fn new() -> io::Result<FaultSink> {
        let event = base::new_event()?;
        Ok(FaultSink { waiting: Mutex::default(), some: AtomicBool::new(false), event })
    }

    /// Adds a fault; dropped when too many wait.
    pub fn post(&self, fault: Fault) {
        let mut waiting = self.waiting.lock();
        if waiting.faults.len() >= CAPACITY {
            waiting.dropped += 1;
            return;
        }
        waiting.faults.push_back(fault);
        self.some.store(true, Ordering::Relaxed);
        // A full counter means that the worker has been woken already.
        drop(self.event.write(1));
    }

    /// Tells the driver that the host failed on behalf of an endpoint.
    pub(super) fn host_failure(&self, endpoint: u32) {
        self.post(Fault { reason: FaultReason::Unknown, flags: FaultFlags(0), endpoint, address: 0 });
    }

    /// Readable while faults wait.
    pub(super) fn event(&self) -> &EventFd {
        &self.event
    }

    /// Whether a fault waits.
    pub(super) fn is_waiting(&self) -> bool {
        self.some.load(Ordering::Relaxed)
    }

    /// Takes all faults, and the number dropped since the last call.
    pub(super) fn take(&self) -> (VecDeque<Fault>, u64) {
        drop(self.event.read());
        let mut waiting = self.waiting.lock();
        self.some.store(false, Ordering::Relaxed);
        let dropped = std::mem::take(&mut waiting.dropped);
        (std::mem::take(&mut waiting.faults), dropped)
    }
}

/// Tells the driver of accesses of one emulated device that lead nowhere.
pub(super) struct EndpointFaults {
    pub(super) core: Arc<Mutex<Core>>,
    pub(super) endpoint: u32,
}

impl DmaFaults for EndpointFaults {
    fn fault(&self, address: u64, need: Perm) {
        let core = self.core.lock();
        let reason = match core.iommu.translate(self.endpoint, address, need) {
            Err(TranslateFault::NoDomain) => FaultReason::Domain,
            _ => FaultReason::Mapping,
        };
        let read = if need.read { FaultFlags::READ } else { 0 };
        let write = if need.write { FaultFlags::WRITE } else { 0 };
        let flags = FaultFlags(read | write | FaultFlags::ADDRESS);
        core.sink.post(Fault { reason, flags, endpoint: self.endpoint, address });
    }
}
