//! Where the device is: here, or with a thread that resets it.
//!
//! A reset waits for what the device's threads are doing, and a disk of the host's that hangs can hold one up for any time. No
//! vCPU may be held up as long, nor main, which would take the process for dead.

use std::sync::mpsc::{Receiver, channel};
use std::thread::Builder;
use std::time::Duration;

use crate::virtio::VirtioDevice;

type Device = Box<dyn VirtioDevice>;

/// The device's place in the transport.
pub(super) enum Seat {
    Here(Device),
    /// It comes back by this way once it has been reset.
    Away(Receiver<Device>),
}

impl Seat {
    pub(super) fn is_here(&self) -> bool {
        matches!(self, Seat::Here(_))
    }

    /// The device, unless it is away.
    pub(super) fn device(&mut self) -> Option<&mut Device> {
        match self {
            Seat::Here(device) => Some(device),
            Seat::Away(_) => None,
        }
    }

    /// Has the device reset by a thread of its own; if it is away already, that is under way. A host that gives no thread has the
    /// caller wait for the reset.
    pub(super) fn reset(&mut self) {
        if !self.is_here() {
            return;
        }
        let (back, way_back) = channel();
        let Seat::Here(mut device) = std::mem::replace(self, Seat::Away(way_back)) else { return };
        let (give, given) = channel::<Device>();
        let run = move || {
            for mut device in given {
                device.reset();
                drop(back.send(device));
            }
        };
        match Builder::new().name("virtio reset".into()).spawn(run) {
            // It waits for its device, and gives it back.
            Ok(_) => drop(give.send(device)),
            Err(_) => {
                device.reset();
                *self = Seat::Here(device);
            }
        }
    }

    /// Waits up to `limit` for the device to be back.
    pub(super) fn wait(&mut self, limit: Duration) {
        if let Seat::Away(way) = self
            && let Ok(device) = way.recv_timeout(limit)
        {
            *self = Seat::Here(device);
        }
    }

    /// Waits for the device; `None`: a panic has ended the thread that reset it.
    pub(super) fn fetch(&mut self) -> Option<&mut Device> {
        if let Seat::Away(way) = self
            && let Ok(device) = way.recv()
        {
            *self = Seat::Here(device);
        }
        self.device()
    }
}
