//! The level-triggered interrupt, passed on by events alone.
//!
//! The kernel masks the physical line when it fires; the end of interrupt in the guest writes `resample`, which unmasks it.
//! The guest's INTx-off bit goes to VFIO with the command register, which holds the line back itself.

use std::io;
use std::sync::Arc;

use base::EventFd;
use vfio::{IrqAction, PciIrq};

use super::host::Host;
use crate::irq::IrqLine;

/// The line of a device.
pub(super) struct Intx {
    line: Arc<dyn IrqLine>,
    trigger: EventFd,
    resample: EventFd,
    on: bool,
}

impl Intx {
    pub fn new(line: Arc<dyn IrqLine>) -> io::Result<Intx> {
        let event = base::new_event;
        Ok(Intx { line, trigger: event()?, resample: event()?, on: false })
    }

    /// Lets the device interrupt the guest.
    pub fn enable(&mut self, host: &Host) {
        if self.on {
            return;
        }
        match self.try_enable(host) {
            Ok(()) => self.on = true,
            Err(error) => host.complain("enable INTx", &error),
        }
    }

    fn try_enable(&self, host: &Host) -> io::Result<()> {
        self.line.bind(&self.trigger, &self.resample)?;
        let trigger = IrqAction::Trigger { start: 0, events: &[Some(&self.trigger)] };
        let enabled = host.device.set_irqs(PciIrq::Intx, trigger).and_then(|()| {
            // The kernel takes an unmask event only once the interrupt is on. An end of interrupt in between is not lost:
            // its event is already written.
            host.device.set_irqs(PciIrq::Intx, IrqAction::UnmaskOn(Some(&self.resample)))
        });
        if enabled.is_err() {
            self.take_down(host);
        }
        enabled
    }

    /// The device interrupts no more through the line, and the line falls.
    pub fn disable(&mut self, host: &Host) {
        if std::mem::take(&mut self.on) {
            self.take_down(host);
        }
    }

    fn take_down(&self, host: &Host) {
        if let Err(error) = host.device.set_irqs(PciIrq::Intx, IrqAction::Disable) {
            host.complain("disable INTx", &error);
        }
        if let Err(error) = self.line.unbind(&self.trigger, &self.resample) {
            host.complain("release the INTx line", &error);
        }
    }
}
