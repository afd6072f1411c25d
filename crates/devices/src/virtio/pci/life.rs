//! When the device runs: from DRIVER_OK to a reset, and only while the function is a bus master.
//!
//! Invariant: while bus mastering is off no thread of the device touches guest memory, and no message is sent. A guest that
//! took it away may have given the memory to another kernel, which knows nothing of the rings in it. Only a call to the host that
//! hangs for longer than [`GRACE`] may still be under way then; its thread sees that it has to stop before it touches guest memory.

use std::time::Duration;

use super::common::Request;
use super::interrupt::{DRIVER_OK, NEEDS_RESET};
use super::{VirtioPciDevice, common, layout, start};
use crate::pci::regs;
use crate::virtio::device::{Activation, VirtioInterrupt};

/// So long an access waits for a device to stop. Drivers read the status until it is 0, but those of old kernels read it once.
pub(super) const GRACE: Duration = Duration::from_secs(2);

impl VirtioPciDevice {
    pub(super) fn act(&mut self, request: Request) {
        match request {
            Request::Reset => {
                self.resetting = true;
                self.stop();
            }
            Request::Start => {
                self.interrupt.add_status(DRIVER_OK);
                self.start();
            }
            Request::Refuse => self.interrupt.needs_reset(),
        }
    }

    /// Stops the device; it may be away for a while.
    fn stop(&mut self) {
        self.waiting = false;
        self.seat.reset();
        self.follow_bar();
        self.settle(self.grace);
        if !self.seat.is_here() {
            // Whatever the status was: 0 would say that the reset is complete.
            self.interrupt.add_status(NEEDS_RESET);
        }
    }

    /// Waits up to `limit` for a device that is away. With it back, a reset is complete and the status 0.
    pub(super) fn settle(&mut self, limit: Duration) {
        self.seat.wait(limit);
        if self.resetting && self.seat.is_here() {
            self.clear();
        }
    }

    /// The driver writes to the common configuration. While the device is away it can only ask for a reset: it has to wait for the
    /// end of one before it does anything else.
    pub(super) fn common_write(&mut self, at: u64, data: &[u8]) {
        if self.seat.is_here() || common::is_reset(at, data) {
            let request = self.common.write(at, data, &self.interrupt);
            request.into_iter().for_each(|request| self.act(request));
        }
    }

    /// Registers after a reset. The device has stopped already: its threads cannot set a bit behind us.
    pub(super) fn clear(&mut self) {
        (self.waiting, self.resetting) = (false, false);
        self.interrupt.reset();
        self.common.reset();
        self.follow_bar();
    }

    /// Starts the device, or lets it wait: a driver may switch bus mastering on after DRIVER_OK.
    fn start(&mut self) {
        self.waiting = !self.reaches_memory();
        if self.waiting {
            return;
        }
        if let Err(reason) = self.try_start() {
            // Told once: a guest can try again for ever.
            if !std::mem::replace(&mut self.complained, true) {
                log::warn!("{}: {}: cannot start: {reason}", self.at, self.name);
            }
            return self.interrupt.needs_reset();
        }
        self.follow_bar();
    }

    fn try_start(&mut self) -> Result<(), String> {
        let activation = Activation {
            mem: self.mem.clone(),
            interrupt: self.interrupt.clone(),
            queues: start::queues(&self.common, &self.kicks, &self.mem)?,
            features: self.common.features(),
        };
        let device = self.seat.device().ok_or("it is being reset")?;
        device.activate(activation).map_err(|error| error.reason)
    }

    pub(super) fn started(&self) -> bool {
        self.interrupt.status() & DRIVER_OK != 0 && !self.waiting && self.seat.is_here()
    }

    fn is_master(&self) -> bool {
        self.config.u16(regs::COMMAND) & regs::COMMAND_MASTER != 0
    }

    fn reaches_memory(&self) -> bool {
        self.steadfast || self.is_master()
    }

    /// The command register was written.
    pub(super) fn follow_master(&mut self) {
        match self.reaches_memory() {
            true if self.waiting => self.start(),
            false if self.started() => self.halt(),
            _ => {}
        }
        self.follow_msix();
    }

    /// Stops a running device until its driver resets it: what was under way is lost, so it cannot go on where it was. QEMU takes
    /// DRIVER_OK away too; that a reset is needed is told besides.
    fn halt(&mut self) {
        self.stop();
        self.interrupt.halt();
    }

    /// Messages are memory writes: without bus mastering they wait as if the whole function were masked.
    pub(super) fn follow_msix(&mut self) {
        let control = self.config.u16(self.places.msix + 2);
        let held = !self.is_master();
        self.interrupt.set_msix(control, held);
    }

    /// Doorbells are bound while the device runs, where the BAR is.
    pub(super) fn follow_bar(&mut self) {
        let window = self.config.windows().into_iter().find(|window| window.bar == layout::BAR);
        let bar = window.map(|window| window.span.start()).filter(|_| self.started());
        self.kicks.bind(bar);
    }
}
