//! The thread of a device that carries bytes or packets between its driver and a descriptor of the host, both ways.
//!
//! Invariants: what the host has is taken only when the driver has left a buffer for it, so a driver that leaves none costs
//! no memory; neither direction holds up the other for longer than a ring's worth of transfers, or a stop for longer than one.

use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;

use base::Poller;

use super::device::{Activation, VirtioInterrupt};
use super::queue::{Chain, Ring, RingError};
use super::thread::{Stop, Thread};
use super::worker::{Queue, WorkerHandler, drain};

/// The queue with buffers for what comes from the host, and the one with what goes to it.
const RECEIVE: u64 = 0;
const TRANSMIT: u64 = 1;
const STOP: u64 = 2;
const INPUT: u64 = 3;

/// The host's side.
pub trait Port: Send + 'static {
    /// Readable when [`Port::receive`] has something; `None` when nothing ever comes.
    fn input(&self) -> Option<BorrowedFd<'_>>;

    /// Takes what came, for a buffer of the driver's with `room` bytes: how much of `bytes` is it, 0 when it was no good
    /// and is gone. `WouldBlock`: nothing there; another error: nothing will come any more.
    fn receive(&mut self, bytes: &mut [u8], room: usize) -> io::Result<usize>;

    /// Bytes of a request that the port takes at once: the longest packet, or the size of a piece of a stream.
    fn most(&self) -> usize;

    /// Whether a request is one packet, to be sent whole or not at all.
    fn packets(&self) -> bool;

    /// Sends; what the host does not take is lost, and what it has not taken when `stop` is asked for.
    fn send(&mut self, bytes: &[u8], stop: &Stop);
}

/// A running device.
pub struct Carrier {
    /// Ends with it.
    _thread: Thread,
}

impl Carrier {
    /// Starts the thread `name` between two queues of `activation`, `first` for what comes from `port` and the next for what
    /// goes to it. A missing queue is a direction unused.
    pub fn start(name: &str, first: u16, activation: Activation, port: impl Port) -> io::Result<Carrier> {
        let stop = Stop::new()?;
        let poller = Poller::new()?;
        poller.add(stop.event(), STOP)?;
        let (mem, features) = (activation.mem, activation.features);
        let mut queues = activation.queues.into_iter().skip(first.into());
        let mut side = |token: u64| -> io::Result<Option<Queue>> {
            let Some(handle) = queues.next().flatten() else { return Ok(None) };
            poller.add(&handle.kick, token)?;
            let (ring, kick) = Ring::new(handle, mem.clone(), features);
            let ring = ring.until(stop.clone());
            Ok(Some(Queue { index: first + token as u16, ring, kick }))
        };
        let (receive, transmit) = (side(RECEIVE)?, side(TRANSMIT)?);
        let buffer = vec![0; port.most()];
        let service = Service {
            poller,
            receive,
            transmit,
            interrupt: activation.interrupt,
            spare: None,
            watching: false,
            sender: Sender { port, buffer: buffer.clone(), stop: stop.clone() },
            buffer,
        };
        Ok(Carrier { _thread: Thread::start(name, stop, move || service.run())? })
    }
}

struct Service<P> {
    poller: Poller,
    receive: Option<Queue>,
    transmit: Option<Queue>,
    interrupt: Arc<dyn VirtioInterrupt>,
    /// A buffer of the driver's that waits for something to come.
    spare: Option<Chain>,
    /// Whether the input is in the poller: only while there is a buffer.
    watching: bool,
    sender: Sender<P>,
    buffer: Vec<u8>,
}

impl<P: Port> Service<P> {
    fn run(mut self) {
        self.serve(|service| service.send());
        self.serve(|service| service.feed());
        loop {
            let ready = match self.poller.wait(None) {
                Ok(ready) => ready,
                Err(error) => {
                    log::error!("a device thread cannot wait for its events: {error}");
                    return self.interrupt.needs_reset();
                }
            };
            for event in &ready {
                match event.token {
                    STOP => return,
                    TRANSMIT => self.serve(|service| service.send()),
                    _ => self.serve(|service| service.feed()),
                }
            }
        }
    }

    /// After a broken ring both queues are left alone until the driver resets the device.
    fn serve(&mut self, job: impl FnOnce(&mut Service<P>) -> Result<(), RingError>) {
        let Err(error) = job(self) else { return };
        log::debug!("{error}; the device needs a reset");
        self.watch(false);
        for queue in [self.receive.take(), self.transmit.take()].into_iter().flatten() {
            drop(self.poller.remove(&queue.kick));
        }
        self.interrupt.needs_reset();
    }

    /// Everything that the driver has to send.
    fn send(&mut self) -> Result<(), RingError> {
        let Some(queue) = &mut self.transmit else { return Ok(()) };
        drop(queue.kick.read());
        drain(queue, &mut self.sender, &*self.interrupt)
    }

    /// What came from the host into buffers of the driver's, as long as there are both.
    fn feed(&mut self) -> Result<(), RingError> {
        let Some(queue) = &self.receive else { return Ok(()) };
        drop(queue.kick.read());
        // As many as the ring is long in a row, so that the other direction and a stop get their turn: the input stays
        // readable, and wakes the thread again.
        for _ in 0..queue.ring.size() {
            let Some(room) = self.room()? else {
                self.watch(false);
                return Ok(());
            };
            let came = self.sender.port.receive(&mut self.buffer, room);
            match came {
                Ok(0) => {}
                Ok(len) => self.give(len)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    log::debug!("nothing comes any more: {error}");
                    self.watch(false);
                    return Ok(());
                }
            }
        }
        self.watch(true);
        Ok(())
    }

    /// Bytes of the next buffer; `None` when the driver has left none, and will kick when it does.
    fn room(&mut self) -> Result<Option<usize>, RingError> {
        let Some(queue) = &mut self.receive else { return Ok(None) };
        loop {
            if let Some(chain) = &self.spare {
                return Ok(Some(chain.writable_len() as usize));
            }
            // A driver can add buffers without room as fast as they come back.
            if queue.ring.is_stopping() {
                return Ok(None);
            }
            queue.ring.quiet()?;
            match queue.ring.pop()? {
                // Room for nothing: nothing would ever fit.
                Some(chain) if chain.writable_len() == 0 => queue.ring.push(chain.head(), 0)?,
                Some(chain) => self.spare = Some(chain),
                None if queue.ring.ask()? => {}
                None => return Ok(None),
            }
        }
    }

    /// Gives the waiting buffer back with the first `len` bytes.
    fn give(&mut self, len: usize) -> Result<(), RingError> {
        let (Some(queue), Some(chain)) = (&mut self.receive, self.spare.take()) else { return Ok(()) };
        let bytes = self.buffer.get(..len).unwrap_or_default();
        // A buffer that the device may not write comes back empty, and what came is lost.
        let written = chain.write(queue.ring.mem(), 0, bytes).unwrap_or(0);
        queue.ring.push(chain.head(), written as u32)?;
        if queue.ring.interrupt_wanted()? {
            self.interrupt.queue(queue.index);
        }
        Ok(())
    }

    fn watch(&mut self, on: bool) {
        if self.watching == on {
            return;
        }
        let Some(input) = self.sender.port.input() else { return };
        let done = match on {
            true => self.poller.add(&input.as_raw_fd(), INPUT),
            false => self.poller.remove(&input.as_raw_fd()),
        };
        match done {
            Ok(()) => self.watching = on,
            Err(error) => log::error!("cannot wait for what comes from the host: {error}"),
        }
    }
}

/// What the driver sends, to the host.
struct Sender<P> {
    port: P,
    buffer: Vec<u8>,
    stop: Arc<Stop>,
}

impl<P: Port> WorkerHandler for Sender<P> {
    fn handle(&mut self, _index: u16, chain: &Chain, ring: &Ring) -> Result<u32, RingError> {
        let len = chain.readable_len();
        if self.port.packets() && len as usize > self.buffer.len() {
            return Ok(0);
        }
        let mut sent = 0;
        while sent < len && !self.stop.is_asked() {
            let most = self.buffer.len().min((len - sent) as usize);
            let Some(part) = self.buffer.get_mut(..most) else { break };
            // What the device may not read is not sent.
            let Ok(got @ 1..) = chain.read(ring.mem(), sent, part) else { break };
            self.port.send(part.get(..got).unwrap_or_default(), &self.stop);
            sent += got as u32;
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests;
