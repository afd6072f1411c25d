//! One device's hold on a level-triggered line that it may share with others.
//!
//! A device either sets the level itself or lets events do it (`bind`). On x86 both kinds may share a line; a GIC keeps one
//! level per line, so there a line with bound events should have no other holder.

use std::sync::Arc;

use base::EventFd;
use sync::Mutex;

use crate::irq::{IrqError, IrqRoutes};

/// A hold on an interrupt line. Dropping it lets go.
pub struct Line {
    routes: Arc<IrqRoutes>,
    gsi: u32,
    pulled: Mutex<bool>,
}

impl Line {
    pub(crate) fn new(routes: Arc<IrqRoutes>, gsi: u32) -> Line {
        Line { routes, gsi, pulled: Mutex::new(false) }
    }

    /// The line's number.
    pub fn gsi(&self) -> u32 {
        self.gsi
    }

    /// Raises or lowers this device's pull; the line is high while any device pulls. No system call when nothing changes.
    pub fn set(&self, level: bool) -> Result<(), IrqError> {
        let mut pulled = self.pulled.lock();
        if *pulled != level {
            self.routes.pull(self.gsi, level)?;
            *pulled = level;
        }
        Ok(())
    }

    /// Up and down again: one edge-triggered interrupt.
    pub fn pulse(&self) -> Result<(), IrqError> {
        self.set(true)?;
        self.set(false)
    }

    /// Ties the line to events: a write to `trigger` raises it; when the guest ends the interrupt the line falls and
    /// `resample` is written.
    pub fn bind(&self, trigger: &EventFd, resample: &EventFd) -> Result<(), IrqError> {
        self.routes.attach(self.gsi, trigger, Some(resample))
    }

    /// Undoes [`Line::bind`]; the line falls.
    pub fn unbind(&self, trigger: &EventFd) -> Result<(), IrqError> {
        self.routes.detach(self.gsi, trigger)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Err(error) = self.set(false) {
            log::error!("interrupt line {} stays up: {error}", self.gsi);
        }
    }
}
