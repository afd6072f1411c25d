//! The thread that serves the queues.
//!
//! It drains the request ring on each wake and then looks at it for a while (`poll.rs`), with kicks suppressed
//! meanwhile. It holds the state's lock for one request at a time, so that a configuration write waits for one request at
//! most. One request may last: an ATTACH can pin all of a guest's memory.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{EventFd, GuestMem, Poller};
use sync::Mutex;
use virtio_iommu_spec::{EVENT_QUEUE, FAULT_SIZE, REQUEST_QUEUE};

use super::Core;
use super::chain::Chain;
use super::events::FaultSink;
use super::poll::Window;
use super::ram::Ram;
use super::ring::DirectRing;
use crate::virtio::thread::{Stop, Thread};
use crate::virtio::{Activation, QueueHandle, VirtioInterrupt};

const STOP: u64 = 0;
const REQUESTS: u64 = 1;
const FAULTS: u64 = 2;
/// Looks at the ring between two looks at the clock, which on an emulated Arm processor takes the emulator's big lock, for which
/// the guest's disk waits. So many take up to 25 µs with a pause in each, a small part of the shortest time that is looked for.
const LOOKS: u32 = 512;
/// Requests found by looking between two questions whether somebody else wants the processor.
const FINDS: u32 = 256;

/// A running worker; dropped, it stops.
pub(super) struct WorkerHandle {
    /// Ends with it.
    _thread: Thread,
}

/// What a worker is made of, before its thread runs.
struct Parts {
    core: Arc<Mutex<Core>>,
    sink: Arc<FaultSink>,
    mem: Arc<GuestMem>,
    interrupt: Arc<dyn VirtioInterrupt>,
    requests: QueueHandle,
    events: Option<QueueHandle>,
    stop: Arc<Stop>,
    window: Window,
}

struct Worker<'m> {
    core: Arc<Mutex<Core>>,
    sink: Arc<FaultSink>,
    ram: Ram<'m>,
    interrupt: Arc<dyn VirtioInterrupt>,
    kick: EventFd,
    requests: DirectRing<'m>,
    events: Events<'m>,
    stop: Arc<Stop>,
    chain: Chain,
    window: Window,
    /// When the last request was answered.
    answered: Instant,
    /// Requests found by looking at the ring, since the kernel was last asked about the processor.
    finds: u32,
    /// When that was, or the worker woke, and for how long it had run then.
    awake: (Instant, Duration),
    /// A ring that makes no sense is not looked at again.
    broken: bool,
}

/// The driver's buffers for faults.
enum Events<'m> {
    /// It gave none.
    None,
    /// They are taken from here.
    Ring(DirectRing<'m>),
    /// It gave a ring that is no place for one.
    Nowhere,
}

impl WorkerHandle {
    /// Starts the worker on the driver's queues.
    pub(super) fn start(
        core: Arc<Mutex<Core>>,
        sink: Arc<FaultSink>,
        activation: Activation,
        window: Window,
    ) -> io::Result<WorkerHandle> {
        let (parts, poller) = Parts::new(core, sink, activation, window)?;
        let stop = parts.stop.clone();
        Ok(WorkerHandle { _thread: Thread::start("virtio-iommu", stop, move || parts.run(poller))? })
    }
}

impl Parts {
    /// A worker that does not run yet, and what it will wait on.
    fn new(
        core: Arc<Mutex<Core>>,
        sink: Arc<FaultSink>,
        activation: Activation,
        window: Window,
    ) -> io::Result<(Parts, Poller)> {
        let Activation { mem, interrupt, mut queues, .. } = activation;
        let mem =
            mem.as_direct().cloned().ok_or_else(|| io::Error::other("the IOMMU cannot be behind itself"))?;
        let mut take = |index: usize| queues.get_mut(index).and_then(Option::take);
        let (requests, events) = (take(REQUEST_QUEUE), take(EVENT_QUEUE));
        let requests = requests.ok_or_else(|| io::Error::other("the driver enabled no request queue"))?;
        let stop = Stop::new()?;
        let poller = Poller::new()?;
        poller.add(stop.event(), STOP)?;
        poller.add(&requests.kick, REQUESTS)?;
        poller.add(sink.event(), FAULTS)?;
        Ok((Parts { core, sink, mem, interrupt, requests, events, stop, window }, poller))
    }

    fn run(self, poller: Poller) {
        let mem = self.mem.clone();
        if let Some(worker) = self.worker(&mem) {
            worker.run(poller);
        }
    }

    /// The worker; without a request ring the driver is told instead that the device needs a reset.
    fn worker(self, mem: &GuestMem) -> Option<Worker<'_>> {
        let Parts { core, sink, interrupt, requests, events, stop, window, .. } = self;
        let Some(ring) = DirectRing::new(&requests.queue, mem) else {
            core.lock().ring_is_broken("the request ring does not lie in guest RAM");
            interrupt.needs_reset();
            return None;
        };
        let events = events.map_or(Events::None, |events| {
            DirectRing::new(&events.queue, mem).map_or(Events::Nowhere, Events::Ring)
        });
        Some(Worker {
            core,
            sink,
            ram: Ram::new(mem),
            interrupt,
            kick: requests.kick,
            requests: ring,
            events,
            stop,
            chain: Chain::new(),
            window,
            answered: Instant::now(),
            finds: 0,
            awake: (Instant::now(), Duration::ZERO),
            broken: false,
        })
    }
}

impl Worker<'_> {
    fn run(mut self, mut poller: Poller) {
        self.awake = awake();
        // The driver may have filled the ring before the kick could be heard.
        self.drain();
        while !self.stop.is_asked() {
            let ready = match poller.wait(None) {
                Ok(ready) => ready,
                Err(error) => {
                    log::error!("virtio-iommu: cannot wait for requests: {error}");
                    return self.interrupt.needs_reset();
                }
            };
            for ready in ready {
                match ready.token {
                    REQUESTS => {
                        drop(self.kick.read());
                        self.window.woken(self.answered.elapsed());
                        self.core.lock().counters.kicks += 1;
                        if self.window.is_adaptive() {
                            self.awake = awake();
                        }
                        self.drain();
                    }
                    FAULTS => self.deliver(),
                    _ => return,
                }
            }
        }
    }

    /// Serves the request ring until it stays empty for as long as the window says; kicks are asked for then.
    fn drain(&mut self) {
        while !self.broken && !self.stop.is_asked() {
            if self.requests.suppress_kicks().is_none() {
                return self.fail("cannot suppress kicks");
            }
            // A kick that was late finds nothing, and nothing to look for.
            let mut served = self.serve();
            while served && self.look() {
                self.deliver_waiting();
                served = self.serve();
            }
            match self.requests.ask_for_kicks() {
                Some(true) => {}
                Some(false) => return,
                None => return self.fail("cannot ask for kicks"),
            }
        }
    }

    /// Looks at the empty ring for as long as the window says; `true` when a request has come.
    fn look(&mut self) -> bool {
        self.answered = Instant::now();
        let length = self.window.length();
        if length.is_zero() {
            return false;
        }
        loop {
            if !self.is_quiet() {
                return self.found();
            }
            self.deliver_waiting();
            if self.stop.is_asked() {
                return false;
            }
            if self.answered.elapsed() >= length {
                self.yield_if_wanted();
                return false;
            }
        }
    }

    /// Looks at the ring a few times; whether it stayed empty.
    fn is_quiet(&self) -> bool {
        let rest = self.window.rest();
        (0..LOOKS).all(|_| {
            rest.take();
            self.requests.waiting() == Some(0)
        })
    }

    fn found(&mut self) -> bool {
        self.window.found();
        self.finds += 1;
        if self.finds >= FINDS {
            self.yield_if_wanted();
        }
        true
    }

    /// Stops looking for a while when somebody else needs the processor.
    fn yield_if_wanted(&mut self) {
        self.core.lock().counters.polled += u64::from(std::mem::take(&mut self.finds));
        if !self.window.is_adaptive() {
            return;
        }
        let now = awake();
        let before = std::mem::replace(&mut self.awake, now);
        self.window.ran(now.1.saturating_sub(before.1), now.0 - before.0);
    }

    /// Answers what is in the ring now; whether there was anything.
    fn serve(&mut self) -> bool {
        let mut served = false;
        while !self.stop.is_asked() {
            let head = match self.requests.pop() {
                Some(Some(head)) => head,
                Some(None) => return served,
                None => {
                    self.fail("the available index makes no sense");
                    return false;
                }
            };
            self.chain.load(self.requests.chain(head), &self.ram);
            let used = self.core.lock().answer(&self.chain, &self.ram);
            if give_back(&mut self.requests, (head, used), (&*self.interrupt, REQUEST_QUEUE)).is_none() {
                self.fail("cannot give a chain back");
                return false;
            }
            served = true;
        }
        false
    }

    /// A guest that is never idle hears of faults all the same.
    fn deliver_waiting(&mut self) {
        if self.sink.is_waiting() {
            self.deliver();
        }
    }

    /// Writes the faults that wait into buffers of the event queue; without a buffer they are dropped (E5).
    fn deliver(&mut self) {
        let (faults, mut dropped) = self.sink.take();
        let mut delivered = 0;
        for fault in faults {
            let ring = match &mut self.events {
                Events::Ring(ring) => Some(ring),
                Events::None => None,
                Events::Nowhere => return self.fail("the event ring does not lie in guest RAM"),
            };
            let filled = ring.and_then(|ring| Some((fill(ring, &self.ram, &fault.encode())?, ring)));
            match filled {
                Some(((head, used), ring)) => {
                    if give_back(ring, (head, used), (&*self.interrupt, EVENT_QUEUE)).is_none() {
                        return self.fail("cannot give an event buffer back");
                    }
                    match used {
                        0 => dropped += 1,
                        _ => delivered += 1,
                    }
                }
                None => dropped += 1,
            }
        }
        let counters = &mut self.core.lock().counters;
        counters.events += delivered;
        counters.events_dropped += dropped;
    }

    /// Latches a broken ring: the driver is told once, and the ring is left alone.
    #[cold]
    fn fail(&mut self, what: &str) {
        if !std::mem::replace(&mut self.broken, true) {
            self.core.lock().ring_is_broken(what);
            self.interrupt.needs_reset();
        }
    }
}

/// The time, and for how long this thread has run.
fn awake() -> (Instant, Duration) {
    (Instant::now(), base::thread_time())
}

/// Serves the request ring once, and then the faults that wait, on this thread.
#[cfg(any(test, feature = "testkit"))]
pub(super) fn serve_once(
    core: Arc<Mutex<Core>>,
    sink: Arc<FaultSink>,
    activation: Activation,
) -> io::Result<()> {
    let (parts, _) = Parts::new(core, sink, activation, Window::never())?;
    let mem = parts.mem.clone();
    if let Some(mut worker) = parts.worker(&mem) {
        worker.drain();
        worker.deliver();
    }
    Ok(())
}

/// Fills one event buffer; `None` when the driver left none. A buffer that is too small comes back unwritten (E4).
fn fill(events: &mut DirectRing, ram: &Ram, bytes: &[u8; FAULT_SIZE]) -> Option<(u16, u32)> {
    let head = events.pop()??;
    let mut chain = Chain::new();
    chain.load(events.chain(head), ram);
    let fits = chain.request().is_some() && chain.has_room(FAULT_SIZE, ram) && chain.write(0, bytes, ram);
    Some((head, if fits { FAULT_SIZE as u32 } else { 0 }))
}

/// Puts a chain into the used ring and interrupts the driver if it wants that (T4).
fn give_back(ring: &mut DirectRing, used: (u16, u32), whom: (&dyn VirtioInterrupt, usize)) -> Option<()> {
    ring.give_back(used.0, used.1)?;
    if ring.interrupt_wanted()? {
        whom.0.queue(whom.1 as u16);
    }
    Some(())
}
