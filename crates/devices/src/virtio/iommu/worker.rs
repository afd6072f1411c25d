//! The thread that serves the queues.
//!
//! It drains the request ring on each wake and then looks at it for a while (`poll.rs`), with kicks suppressed
//! meanwhile. It holds the state's lock for one request at a time, so that a configuration write or a report waits for
//! one request at most.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base::{EventFd, GuestMem, Poller};
use sync::Mutex;
use virtio_bindings::bindings::virtio_ring::VRING_AVAIL_F_NO_INTERRUPT;
use virtio_iommu_spec::{EVENT_QUEUE, FAULT_SIZE, REQUEST_QUEUE};
use virtio_queue::{Queue, QueueT};
use vm_memory::{Bytes, GuestAddress};

use super::Core;
use super::chain::Chain;
use super::events::FaultSink;
use super::poll::Window;
use crate::virtio::{Activation, QueueHandle, VirtioInterrupt};

const STOP: u64 = 0;
const REQUESTS: u64 = 1;
const FAULTS: u64 = 2;
/// Looks at the ring between two looks at the clock.
const LOOKS: u32 = 32;
/// Requests found by looking between two questions whether somebody else wants the processor.
const FINDS: u32 = 256;

/// A running worker; dropped, it stops.
pub(super) struct WorkerHandle {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

struct Stop {
    asked: AtomicBool,
    event: EventFd,
}

struct Worker {
    core: Arc<Mutex<Core>>,
    sink: Arc<FaultSink>,
    mem: Arc<GuestMem>,
    interrupt: Arc<dyn VirtioInterrupt>,
    requests: QueueHandle,
    events: Option<QueueHandle>,
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

impl WorkerHandle {
    /// Starts the worker on the driver's queues.
    pub(super) fn start(
        core: Arc<Mutex<Core>>,
        sink: Arc<FaultSink>,
        activation: Activation,
        window: Window,
    ) -> io::Result<WorkerHandle> {
        let (worker, poller) = Worker::new(core, sink, activation, window)?;
        let stop = worker.stop.clone();
        let thread =
            std::thread::Builder::new().name("virtio-iommu".into()).spawn(move || worker.run(poller))?;
        Ok(WorkerHandle { stop, thread: Some(thread) })
    }
}

impl Drop for WorkerHandle {
    fn drop(&mut self) {
        self.stop.asked.store(true, Ordering::Relaxed);
        drop(self.stop.event.write(1));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("virtio-iommu: the worker has died");
        }
    }
}

impl Worker {
    /// A worker that does not run yet, and what it will wait on.
    fn new(
        core: Arc<Mutex<Core>>,
        sink: Arc<FaultSink>,
        activation: Activation,
        window: Window,
    ) -> io::Result<(Worker, Poller)> {
        let Activation { mem, interrupt, mut queues, .. } = activation;
        let mem =
            mem.as_direct().cloned().ok_or_else(|| io::Error::other("the IOMMU cannot be behind itself"))?;
        let mut take = |index: usize| queues.get_mut(index).and_then(Option::take);
        let (requests, events) = (take(REQUEST_QUEUE), take(EVENT_QUEUE));
        let requests = requests.ok_or_else(|| io::Error::other("the driver enabled no request queue"))?;
        let event = base::new_event()?;
        let stop = Arc::new(Stop { asked: AtomicBool::new(false), event });
        let poller = Poller::new()?;
        poller.add(&stop.event, STOP)?;
        poller.add(&requests.kick, REQUESTS)?;
        poller.add(sink.event(), FAULTS)?;
        let worker = Worker {
            core,
            sink,
            mem,
            interrupt,
            requests,
            events,
            stop,
            chain: Chain::new(),
            window,
            answered: Instant::now(),
            finds: 0,
            awake: (Instant::now(), Duration::ZERO),
            broken: false,
        };
        Ok((worker, poller))
    }

    fn run(mut self, mut poller: Poller) {
        self.awake = awake();
        // The driver may have filled the ring before the kick could be heard.
        self.drain();
        while !self.stop.asked.load(Ordering::Relaxed) {
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
                        drop(self.requests.kick.read());
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
        while !self.broken && !self.stop.asked.load(Ordering::Relaxed) {
            if self.requests.queue.disable_notification(&*self.mem).is_err() {
                return self.fail("cannot suppress kicks");
            }
            // A kick that was late finds nothing, and nothing to look for.
            let mut served = self.serve();
            while served && self.look() {
                self.deliver_waiting();
                served = self.serve();
            }
            match self.requests.queue.enable_notification(&*self.mem) {
                Ok(true) => {}
                Ok(false) => return,
                Err(_) => return self.fail("cannot ask for kicks"),
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
            if !(0..LOOKS).all(|_| available(&self.requests.queue, &self.mem) == Some(0)) {
                return self.found();
            }
            // Once for many looks: a host that is a guest itself may have to leave guest mode for it (pause-loop exiting), and
            // an emulator takes a lock that the guest's disk waits for.
            std::hint::spin_loop();
            self.deliver_waiting();
            if self.stop.asked.load(Ordering::Relaxed) {
                return false;
            }
            if self.answered.elapsed() >= length {
                self.yield_if_wanted();
                return false;
            }
        }
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
        while !self.stop.asked.load(Ordering::Relaxed) {
            let queue = &mut self.requests.queue;
            let mem = &*self.mem;
            if available(queue, mem).is_none() {
                self.fail("the available index makes no sense");
                return false;
            }
            let Some(descriptors) = queue.pop_descriptor_chain(mem) else { return served };
            let head = descriptors.head_index();
            self.chain.load(descriptors, mem);
            let used = self.core.lock().answer(&self.chain, mem);
            if !give_back(queue, mem, (head, used), (&*self.interrupt, REQUEST_QUEUE)) {
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
            match self.events.as_mut().map(|events| write_event(events, &self.mem, &fault.encode())) {
                Some(Some((head, used))) => {
                    let Some(events) = self.events.as_mut() else { break };
                    if !give_back(&mut events.queue, &self.mem, (head, used), (&*self.interrupt, EVENT_QUEUE))
                    {
                        return self.fail("cannot give an event buffer back");
                    }
                    match used {
                        0 => dropped += 1,
                        _ => delivered += 1,
                    }
                }
                _ => dropped += 1,
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
            log::warn!("virtio-iommu: {what}; the device needs a reset");
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
    let (mut worker, _) = Worker::new(core, sink, activation, Window::never())?;
    worker.drain();
    worker.deliver();
    Ok(())
}

/// Chains in the ring; `None` when the driver's index is further ahead than the ring is long.
fn available(queue: &Queue, mem: &GuestMem) -> Option<u16> {
    let index = queue.avail_idx(mem, Ordering::Acquire).ok()?.0;
    let waiting = index.wrapping_sub(queue.next_avail());
    (waiting <= queue.size()).then_some(waiting)
}

/// Fills one event buffer; `None` when the driver left none. A buffer that is too small comes back unwritten (E4).
fn write_event(events: &mut QueueHandle, mem: &GuestMem, bytes: &[u8; FAULT_SIZE]) -> Option<(u16, u32)> {
    available(&events.queue, mem)?;
    let descriptors = events.queue.pop_descriptor_chain(mem)?;
    let head = descriptors.head_index();
    let mut chain = Chain::new();
    chain.load(descriptors, mem);
    let fits = chain.request().is_some() && chain.has_room(FAULT_SIZE, mem) && chain.write(0, bytes, mem);
    Some((head, if fits { FAULT_SIZE as u32 } else { 0 }))
}

/// Puts a chain into the used ring and interrupts the driver if it wants that (T4).
fn give_back(
    queue: &mut Queue,
    mem: &GuestMem,
    used: (u16, u32),
    whom: (&dyn VirtioInterrupt, usize),
) -> bool {
    if queue.add_used(mem, used.0, used.1).is_err() {
        return false;
    }
    match interrupt_wanted(queue, mem) {
        Some(true) => whom.0.queue(whom.1 as u16),
        Some(false) => {}
        None => return false,
    }
    true
}

/// What the driver's suppression fields say, of either kind; `None` when they cannot be read.
fn interrupt_wanted(queue: &mut Queue, mem: &GuestMem) -> Option<bool> {
    if queue.event_idx_enabled() {
        return queue.needs_notification(mem).ok();
    }
    // The used index must be out before the flag is looked at.
    fence(Ordering::SeqCst);
    let flags: u16 = mem.read_obj(GuestAddress(queue.avail_ring())).ok()?;
    Some(u32::from(u16::from_le(flags)) & VRING_AVAIL_F_NO_INTERRUPT == 0)
}
