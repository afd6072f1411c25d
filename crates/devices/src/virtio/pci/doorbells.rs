//! The doorbells of a device: one event for each queue, bound to where the BAR lies at present.

use std::io;
use std::sync::Arc;

use base::EventFd;

use super::layout::{NOTIFY, NOTIFY_STEP};
use crate::slots::Doorbells;

/// The kick events, and where they are bound.
pub struct Kicks {
    doorbells: Arc<dyn Doorbells>,
    events: Vec<EventFd>,
    /// Guest-physical address of the BAR that the events are bound in.
    bound_in: Option<u64>,
    /// What was bound: address and queue.
    bound: Vec<(u64, usize)>,
    complained: bool,
}

impl Kicks {
    /// Events for `count` queues, not bound.
    pub fn new(doorbells: Arc<dyn Doorbells>, count: usize) -> io::Result<Kicks> {
        let event = |_| base::new_event();
        let events = (0..count).map(event).collect::<io::Result<_>>()?;
        Ok(Kicks { doorbells, events, bound_in: None, bound: Vec::new(), complained: false })
    }

    /// The event of a queue, for the device; kicks from before are forgotten.
    pub fn fresh(&self, queue: usize) -> io::Result<EventFd> {
        let event = self.events.get(queue).ok_or(io::ErrorKind::NotFound)?;
        let _ = event.read();
        event.try_clone()
    }

    /// A kick that trapped instead of going straight to its event.
    pub fn ring(&self, offset: u64) {
        if let Some(event) =
            usize::try_from(offset / NOTIFY_STEP).ok().and_then(|queue| self.events.get(queue))
        {
            // It fails only when the counter is full: then a kick is waiting already.
            let _ = event.write(1);
        }
    }

    /// Binds every queue's event in the BAR at `bar`, or takes them all away. Nothing happens when they are there already.
    pub fn bind(&mut self, bar: Option<u64>) {
        if self.bound_in == bar {
            return;
        }
        for (address, queue) in std::mem::take(&mut self.bound) {
            let result = self.events.get(queue).map_or(Ok(()), |event| self.doorbells.unbind(address, event));
            self.check("unbind", address, result);
        }
        self.bound_in = bar;
        let Some(bar) = bar else { return };
        for queue in 0..self.events.len() {
            let Some(address) = bar.checked_add(NOTIFY + NOTIFY_STEP * queue as u64) else { continue };
            let result = self.events.get(queue).map_or(Ok(()), |event| self.doorbells.bind(address, event));
            if self.check("bind", address, result) {
                self.bound.push((address, queue));
            }
        }
    }

    /// A doorbell that is not bound traps: slower, not wrong. Told once, as a guest can move its BAR for ever.
    fn check(&mut self, what: &str, address: u64, result: io::Result<()>) -> bool {
        if let Err(error) = &result
            && !std::mem::replace(&mut self.complained, true)
        {
            log::warn!(
                "virtio device: cannot {what} the doorbell at {address:#x}: {error}; kicks take the slow way"
            );
        }
        result.is_ok()
    }
}

impl Drop for Kicks {
    fn drop(&mut self) {
        self.bind(None);
    }
}
