//! Fakes of what the machine gives to devices; each records what was asked of it.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use base::EventFd;
use data_model::Bdf;
use sync::{Condvar, Mutex};

use crate::irq::{IrqLine, MsiController, MsiMessage, MsiVector};
use crate::slots::{DirectMapping, Doorbells, MemoryMapper, SlotId};
use crate::virtio::VirtioInterrupt;

/// A vector with an event of its own, and the message it is routed to.
pub struct FakeVector {
    /// Who asked for it.
    pub requester: Bdf,
    event: EventFd,
    message: Mutex<Option<MsiMessage>>,
    /// How often it was routed.
    pub routed: AtomicU32,
}

impl FakeVector {
    /// Where it is routed to at present.
    pub fn message(&self) -> Option<MsiMessage> {
        *self.message.lock()
    }

    /// Takes the interrupts sent since the last call.
    pub fn take(&self) -> u64 {
        self.event.read().unwrap_or(0)
    }

    /// Waits for an interrupt; whether one came within `limit`.
    pub fn wait(&self, limit: Duration) -> bool {
        until(limit, || self.take() > 0)
    }
}

impl MsiVector for FakeVector {
    fn event(&self) -> &EventFd {
        &self.event
    }

    fn route(&self, message: MsiMessage) -> io::Result<()> {
        self.routed.fetch_add(1, Ordering::Relaxed);
        *self.message.lock() = Some(message);
        Ok(())
    }

    fn unroute(&self) -> io::Result<()> {
        *self.message.lock() = None;
        Ok(())
    }
}

/// Gives out [`FakeVector`]s and remembers them in order.
#[derive(Default)]
pub struct FakeMsiController {
    given: Mutex<Vec<Arc<FakeVector>>>,
    /// When set, no vector is given out any more.
    pub exhausted: AtomicBool,
}

impl FakeMsiController {
    /// Every vector given out so far.
    pub fn vectors(&self) -> Vec<Arc<FakeVector>> {
        self.given.lock().clone()
    }

    /// The vector routed to a message with this data word.
    pub fn with_data(&self, data: u32) -> Option<Arc<FakeVector>> {
        self.vectors().into_iter().find(|vector| vector.message().is_some_and(|m| m.data == data))
    }
}

impl MsiController for FakeMsiController {
    fn vector(&self, requester: Bdf) -> io::Result<Arc<dyn MsiVector>> {
        if self.exhausted.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let vector = Arc::new(FakeVector {
            requester,
            event: base::new_event()?,
            message: Mutex::new(None),
            routed: AtomicU32::new(0),
        });
        self.given.lock().push(vector.clone());
        Ok(vector)
    }
}

/// Remembers which event is bound to which address.
#[derive(Default)]
pub struct FakeDoorbells {
    bound: Mutex<BTreeMap<u64, EventFd>>,
    /// When set, binding fails.
    pub refuse: AtomicBool,
}

impl FakeDoorbells {
    /// The addresses bound now, in order.
    pub fn addresses(&self) -> Vec<u64> {
        self.bound.lock().keys().copied().collect()
    }

    /// A guest write to `gpa`; whether a doorbell was bound there.
    pub fn ring(&self, gpa: u64) -> bool {
        self.bound.lock().get(&gpa).is_some_and(|event| event.write(1).is_ok())
    }
}

impl Doorbells for FakeDoorbells {
    fn bind(&self, gpa: u64, event: &EventFd) -> io::Result<()> {
        let mut bound = self.bound.lock();
        if self.refuse.load(Ordering::Relaxed) || bound.contains_key(&gpa) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        bound.insert(gpa, event.try_clone()?);
        Ok(())
    }

    fn unbind(&self, gpa: u64, _event: &EventFd) -> io::Result<()> {
        self.bound.lock().remove(&gpa).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Remembers the direct mappings.
#[derive(Default)]
pub struct FakeMapper {
    maps: Mutex<(u32, BTreeMap<u32, DirectMapping>)>,
    /// When set, mapping fails.
    pub refuse: AtomicBool,
    /// How often it was to map something.
    pub asked: AtomicU32,
}

impl FakeMapper {
    /// What is mapped now.
    pub fn mappings(&self) -> Vec<DirectMapping> {
        self.maps.lock().1.values().cloned().collect()
    }
}

impl MemoryMapper for FakeMapper {
    fn map(&self, mapping: DirectMapping) -> io::Result<SlotId> {
        let mut maps = self.maps.lock();
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.refuse.load(Ordering::Relaxed)
            || maps.1.values().any(|other| other.span.overlaps(&mapping.span))
        {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        maps.0 += 1;
        let slot = maps.0;
        maps.1.insert(slot, mapping);
        Ok(SlotId(slot))
    }

    fn unmap(&self, slot: SlotId) -> io::Result<()> {
        self.maps.lock().1.remove(&slot.0).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// A line that remembers its level and the events tied to it.
#[derive(Default)]
pub struct FakeLine {
    level: AtomicBool,
    raised: AtomicU32,
    bound: Mutex<Vec<(i32, i32)>>,
}

impl FakeLine {
    /// The level now.
    pub fn level(&self) -> bool {
        self.level.load(Ordering::SeqCst)
    }

    /// How often it went up.
    pub fn raised(&self) -> u32 {
        self.raised.load(Ordering::SeqCst)
    }

    /// Pairs of events tied to it now.
    pub fn bound(&self) -> usize {
        self.bound.lock().len()
    }
}

impl IrqLine for FakeLine {
    fn set(&self, level: bool) -> io::Result<()> {
        if !self.level.swap(level, Ordering::SeqCst) && level {
            self.raised.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    fn bind(&self, trigger: &EventFd, resample: &EventFd) -> io::Result<()> {
        self.bound.lock().push((trigger.as_raw_fd(), resample.as_raw_fd()));
        Ok(())
    }

    fn unbind(&self, trigger: &EventFd, resample: &EventFd) -> io::Result<()> {
        let pair = (trigger.as_raw_fd(), resample.as_raw_fd());
        self.bound.lock().retain(|other| *other != pair);
        Ok(())
    }
}

#[derive(Clone, Debug, Default)]
struct Told {
    queues: BTreeMap<u16, u64>,
    config: u64,
    needs_reset: u64,
}

/// Counts what a device tells its driver, and can wait for it.
#[derive(Default)]
pub struct FakeInterrupt {
    told: Mutex<Told>,
    changed: Condvar,
}

impl FakeInterrupt {
    /// Interrupts for queue `index` so far.
    pub fn queue_count(&self, index: u16) -> u64 {
        self.told.lock().queues.get(&index).copied().unwrap_or(0)
    }

    /// Configuration changes so far.
    pub fn config_count(&self) -> u64 {
        self.told.lock().config
    }

    /// Whether the device asked for a reset.
    pub fn asked_for_reset(&self) -> bool {
        self.told.lock().needs_reset > 0
    }

    /// Waits until queue `index` had `count` interrupts in all; whether it had within `limit`.
    pub fn wait_queue(&self, index: u16, count: u64, limit: Duration) -> bool {
        self.wait(limit, |told| told.queues.get(&index).copied().unwrap_or(0) >= count)
    }

    /// Waits until the device asks for a reset; whether it did within `limit`.
    pub fn wait_needs_reset(&self, limit: Duration) -> bool {
        self.wait(limit, |told| told.needs_reset > 0)
    }

    fn wait(&self, limit: Duration, done: impl Fn(&Told) -> bool) -> bool {
        let mut told = self.told.lock();
        !self.changed.wait_while_for(&mut told, |told| !done(told), limit).timed_out()
    }

    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told.lock());
        self.changed.notify_all();
    }
}

impl VirtioInterrupt for FakeInterrupt {
    fn queue(&self, index: u16) {
        self.tell(|told| *told.queues.entry(index).or_default() += 1);
    }

    fn config_changed(&self) {
        self.tell(|told| told.config += 1);
    }

    fn needs_reset(&self) {
        self.tell(|told| told.needs_reset += 1);
    }
}

/// Asks `done` again and again for up to `limit`; whether it became true.
pub fn until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if done() {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
        std::thread::yield_now();
    }
}
