//! How a device interrupts the guest, without knowing the hypervisor.

use std::io;
use std::sync::Arc;

use base::EventFd;
use data_model::Bdf;
use serde::{Deserialize, Serialize};

/// What a device writes to send an MSI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MsiMessage {
    /// Doorbell address as the guest programmed it: guest-physical, or an IOVA where MSIs are translated.
    pub address: u64,
    /// The word written there.
    pub data: u32,
}

/// One MSI vector's way into the guest's interrupt controller.
pub trait MsiVector: Send + Sync {
    /// The event that raises the interrupt (an irqfd). It may be given to VFIO, or written by an emulated device.
    fn event(&self) -> &EventFd;

    /// Sends later events as `message`. Takes effect before it returns.
    fn route(&self, message: MsiMessage) -> io::Result<()>;

    /// Takes the route away: events do nothing until the next [`MsiVector::route`].
    fn unroute(&self) -> io::Result<()>;
}

/// Gives out MSI vectors.
pub trait MsiController: Send + Sync {
    /// A new vector for the device `requester`; unrouted at first, given back when dropped.
    fn vector(&self, requester: Bdf) -> io::Result<Arc<dyn MsiVector>>;
}

/// A level-triggered interrupt line (INTx), shared with other devices.
pub trait IrqLine: Send + Sync {
    /// Raises or lowers this device's pull on the line.
    fn set(&self, level: bool) -> io::Result<()>;

    /// Ties the line to events: a write to `trigger` raises it; when the guest ends the interrupt the line falls and
    /// `resample` is written. Undone by [`IrqLine::unbind`].
    fn bind(&self, trigger: &EventFd, resample: &EventFd) -> io::Result<()>;

    /// Undoes [`IrqLine::bind`].
    fn unbind(&self, trigger: &EventFd, resample: &EventFd) -> io::Result<()>;
}
