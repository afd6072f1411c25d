//! What a transport needs of a virtio device, and what it gives in return.
//!
//! Life: built with all it needs → `activate` at DRIVER_OK → works on threads of its own → `reset` stops them and
//! takes it back to the first state. `activate` and `reset` alternate.

use std::sync::Arc;

use base::EventFd;
use thiserror::Error;
use virtio_queue::Queue;

use super::dma::Dma;

/// How a device tells its driver that something happened.
pub trait VirtioInterrupt: Send + Sync {
    /// Used buffers wait in queue `index`. The device asks for it only when the queue's suppression says so.
    fn queue(&self, index: u16);

    /// The configuration space changed.
    fn config_changed(&self);

    /// The device cannot go on: sets DEVICE_NEEDS_RESET and tells the driver.
    fn needs_reset(&self);
}

/// A queue that the driver has set up.
pub struct QueueHandle {
    /// The ring. The transport has checked that it lies in guest RAM, unless addresses are translated; contents it has not.
    pub queue: Queue,
    /// Written when the driver kicks the queue.
    pub kick: EventFd,
}

/// All that a device gets when its driver is ready.
pub struct Activation {
    /// The memory that the device may use.
    pub mem: Dma,
    /// The way back to the driver.
    pub interrupt: Arc<dyn VirtioInterrupt>,
    /// One entry for each of [`VirtioDevice::queue_sizes`]; `None` where the driver enabled none.
    pub queues: Vec<Option<QueueHandle>>,
    /// Features that both sides agreed on.
    pub features: u64,
}

/// A device could not start.
#[derive(Debug, Error)]
#[error("{device}: cannot start: {reason}")]
pub struct ActivateError {
    /// Name of the device.
    pub device: &'static str,
    /// What failed, and what the kernel said.
    pub reason: String,
}

impl ActivateError {
    /// The error of `device` for a call that failed.
    pub fn of(device: &'static str) -> impl Fn(std::io::Error) -> ActivateError {
        move |error| ActivateError { device, reason: error.to_string() }
    }
}

/// A virtio device without its transport.
pub trait VirtioDevice: Send {
    /// Short name for logs, `virtio-rng`.
    fn name(&self) -> &'static str;

    /// Virtio device id (23 is the IOMMU).
    fn device_id(&self) -> u16;

    /// Device features offered, and of the ring features EVENT_IDX and INDIRECT_DESC where the device can. The
    /// transport adds VERSION_1, and ACCESS_PLATFORM where addresses are translated.
    fn features(&self) -> u64;

    /// Largest size of each queue, a power of two.
    fn queue_sizes(&self) -> &[u16];

    /// Whether it goes on, and touches guest memory, without bus mastering too. A transport stops all others then.
    fn is_steadfast(&self) -> bool {
        false
    }

    /// Reads the device configuration; beyond its end zeros.
    fn config_read(&self, offset: u64, data: &mut [u8]);

    /// Writes the device configuration. `features` are those negotiated so far. `false`: the write was not allowed, the
    /// transport sets DEVICE_NEEDS_RESET.
    fn config_write(&mut self, offset: u64, data: &[u8], features: u64) -> bool;

    /// Starts work.
    fn activate(&mut self, activation: Activation) -> Result<(), ActivateError>;

    /// Stops all work and returns once no thread of the device touches guest memory. A device that was never activated
    /// accepts it too. The transport may call it on a thread of its own.
    fn reset(&mut self);

    /// The machine itself is reset: also what survives a device reset goes back (virtio-iommu's `bypass`).
    fn system_reset(&mut self) {
        self.reset();
    }
}
