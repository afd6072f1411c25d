//! All that a device needs to be activated without a machine.

use std::sync::Arc;
use std::time::Duration;

use base::{GuestMem, GuestRam};
use data_model::Span;

use super::{Behind, DriverQueue, FakeInterrupt};
use crate::virtio::{Activation, Dma, VirtioDevice};

/// Generous for one request, short for a test that waits in vain.
pub const SECOND: Duration = Duration::from_secs(1);

/// `VIRTIO_RING_F_EVENT_IDX`
const EVENT_IDX: u64 = 1 << 29;

/// Bytes of guest memory that each queue gets, ring and buffers.
const QUEUE_AREA: u64 = 256 << 10;

/// Guest memory of `bytes` from guest-physical address 0 on.
pub fn ram(bytes: u64) -> Arc<GuestMem> {
    let span = Span::from_len(0, bytes).expect("some bytes");
    GuestRam::new(&[span]).expect("memory for a test").mem
}

/// Rings, memory and interrupt for one device.
pub struct Bench {
    /// Guest memory. The first page stays unused, then come 256 KiB for each queue; what follows is the test's.
    pub mem: Arc<GuestMem>,
    /// Records what the device tells its driver.
    pub interrupt: Arc<FakeInterrupt>,
    /// One for each queue of the device.
    pub queues: Vec<DriverQueue>,
    features: u64,
    /// Memory as the device sees it.
    dma: Dma,
}

impl Bench {
    /// The same where the device is behind an IOMMU: it is told addresses `shift` above those in guest memory.
    pub fn behind(behind: &Behind, device: &dyn VirtioDevice, features: u64) -> Bench {
        let mut bench = Bench::new(behind.mem.clone(), device, features);
        bench.queues.iter_mut().for_each(|queue| queue.shift = Behind::SHIFT);
        Bench { dma: behind.dma(), ..bench }
    }

    /// Rings of their largest size for `device`, with `features` negotiated.
    pub fn new(mem: Arc<GuestMem>, device: &dyn VirtioDevice, features: u64) -> Bench {
        let place = |n: usize| 0x1000 + QUEUE_AREA * n as u64;
        let queue = |(n, size): (usize, &u16)| {
            DriverQueue::new(mem.clone(), place(n), QUEUE_AREA, *size, features & EVENT_IDX != 0)
        };
        let queues = device.queue_sizes().iter().enumerate().map(queue).collect();
        let dma = mem.clone().into();
        Bench { dma, mem, interrupt: Arc::new(FakeInterrupt::default()), queues, features }
    }

    /// What `VirtioDevice::activate` takes, with every queue enabled.
    pub fn activation(&self) -> Activation {
        Activation {
            mem: self.dma.clone(),
            interrupt: self.interrupt.clone(),
            queues: self.queues.iter().map(|queue| Some(queue.handle())).collect(),
            features: self.features,
        }
    }
}
