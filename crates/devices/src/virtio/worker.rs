//! The thread of a device: waits for kicks, drains the rings, stops when asked.
//!
//! Invariant: once [`Worker::stop`] has returned, the thread is gone and touches no guest memory.

use std::io;
use std::sync::Arc;

use base::{EventFd, Poller};

use super::device::{QueueHandle, VirtioInterrupt};
use super::queue::{Chain, Ring, RingError};
use super::thread::{Stop, Thread};
use crate::virtio::Activation;

/// What a device does with a request.
pub trait WorkerHandler: Send + 'static {
    /// Carries out one request of queue `index` and gives the bytes it wrote. A stop waits for it: what takes long gives up
    /// once [`Ring::is_stopping`], and then the request does not come back.
    fn handle(&mut self, index: u16, chain: &Chain, ring: &Ring) -> Result<u32, RingError>;
}

/// Token of the stop event; the queues' tokens are their numbers.
const STOP: u64 = u64::MAX;

/// A running device.
pub struct Worker(Thread);

/// A queue that a thread serves.
pub(super) struct Queue {
    pub index: u16,
    pub ring: Ring,
    pub kick: EventFd,
}

impl Worker {
    /// Starts the thread `name` on all queues of `activation`.
    pub fn start(name: &str, activation: Activation, handler: impl WorkerHandler) -> io::Result<Worker> {
        let stop = Stop::new()?;
        let poller = Poller::new()?;
        poller.add(stop.event(), STOP)?;
        let mut queues = Vec::new();
        for (index, handle) in (0..).zip(activation.queues) {
            let Some(QueueHandle { queue, kick }) = handle else { continue };
            poller.add(&kick, u64::from(index))?;
            let handle = QueueHandle { queue, kick };
            let (ring, kick) = Ring::new(handle, activation.mem.clone(), activation.features);
            queues.push(Queue { index, ring: ring.until(stop.clone()), kick });
        }
        let service = Service { poller, queues, interrupt: activation.interrupt, handler };
        Ok(Worker(Thread::start(name, stop, move || service.run())?))
    }

    /// Serves what is in the rings once, on this thread.
    #[cfg(any(test, feature = "testkit"))]
    pub fn serve_once(activation: Activation, handler: &mut impl WorkerHandler) {
        let Activation { mem, interrupt, queues, features } = activation;
        for (index, handle) in (0..).zip(queues) {
            let Some(handle) = handle else { continue };
            let (ring, kick) = Ring::new(handle, mem.clone(), features);
            if drain(&mut Queue { index, ring, kick }, handler, &*interrupt).is_err() {
                interrupt.needs_reset();
            }
        }
    }

    /// Asks the thread to end, and does not wait: for who stops several.
    pub fn ask_to_stop(&self) {
        self.0.ask();
    }

    /// Ends the thread and waits for it.
    pub fn stop(self) {
        drop(self);
    }
}

struct Service<H> {
    poller: Poller,
    queues: Vec<Queue>,
    interrupt: Arc<dyn VirtioInterrupt>,
    handler: H,
}

impl<H: WorkerHandler> Service<H> {
    fn run(mut self) {
        // What the driver made available before it set DRIVER_OK has no kick of its own.
        for n in 0..self.queues.len() {
            self.serve(n);
        }
        loop {
            let ready = match self.poller.wait(None) {
                Ok(ready) => ready,
                Err(error) => {
                    log::error!("a device thread cannot wait for its events: {error}");
                    return self.interrupt.needs_reset();
                }
            };
            if ready.iter().any(|event| event.token == STOP) {
                return;
            }
            for event in ready {
                let place = self.queues.iter().position(|queue| u64::from(queue.index) == event.token);
                if let Some(n) = place {
                    self.serve(n);
                }
            }
        }
    }

    /// Drains one queue; a broken one is left alone until the driver resets the device.
    fn serve(&mut self, n: usize) {
        let Some(queue) = self.queues.get_mut(n) else { return };
        let _ = queue.kick.read();
        if let Err(error) = drain(queue, &mut self.handler, &*self.interrupt) {
            log::debug!("queue {}: {error}; the device needs a reset", queue.index);
            if let Err(error) = self.poller.remove(&queue.kick) {
                log::error!("cannot stop watching a queue: {error}");
            }
            self.queues.remove(n);
            self.interrupt.needs_reset();
        }
    }
}

/// Serves what is in the ring now.
pub(super) fn drain(
    queue: &mut Queue,
    handler: &mut impl WorkerHandler,
    interrupt: &dyn VirtioInterrupt,
) -> Result<(), RingError> {
    // At most one ring's worth in a row, so that a driver that never stops does not keep the thread from its stop event.
    let mut left = queue.ring.size();
    loop {
        if queue.ring.is_stopping() {
            return Ok(());
        }
        queue.ring.quiet()?;
        while let Some(chain) = queue.ring.pop()? {
            let written = handler.handle(queue.index, &chain, &queue.ring)?;
            // Perhaps it was cut short. Nobody waits for it: the driver has its buffers back with the reset.
            if queue.ring.is_stopping() {
                return Ok(());
            }
            queue.ring.push(chain.head(), written)?;
            if queue.ring.interrupt_wanted()? {
                interrupt.queue(queue.index);
            }
            left = left.saturating_sub(1);
            if left == 0 {
                let _ = queue.kick.write(1);
                return Ok(());
            }
        }
        if !queue.ring.ask()? {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
