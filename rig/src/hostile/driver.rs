//! A driver's life with the device: set up, ask, compare each answer with the books.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base::GuestRam;
use devices::virtio::testkit::{DriverQueue, Sent, Used};
use suites::chains::bytes;
use virtio_iommu_spec::{
    EVENT_QUEUE, FAULT_SIZE, Features, MAX_REQUEST_SIZE, Property, REQUEST_QUEUE, Request, Status, TAIL_SIZE,
    properties,
};

use super::memory;
use super::oracle::{Endpoint, Oracle};
use super::transport::{
    ACKNOWLEDGE_DRIVER, DRIVER_OK, FEATURES_OK, IOMMU, NEEDS_RESET, Place, Registers, Transport, find,
};

/// The device does not take so long for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// VIRTIO_F_VERSION_1, and all that the device has of its own.
const FEATURES: u64 = 1 << 32
    | Features::INPUT_RANGE
    | Features::DOMAIN_RANGE
    | Features::MAP_UNMAP
    | Features::PROBE
    | Features::MMIO
    | Features::BYPASS_CONFIG;
/// Memory of each queue with its buffers.
pub const AREA: u64 = memory::BYTES / 4;
/// What the kit fills buffers with that the device may write.
const UNTOUCHED: u8 = 0xa5;

/// The device and its driver.
pub struct Driver {
    pub transport: Box<dyn Registers>,
    pub ram: GuestRam,
    /// Guest-physical address of `ram`.
    pub base: u64,
    pub requests: DriverQueue,
    events: DriverQueue,
    /// Buffers for reports that the device holds.
    lent: Vec<Sent>,
    pub oracle: Oracle,
    probe_size: u32,
}

/// A chain on its way, and what must come of it; `None`: it comes back unwritten.
pub struct Asked {
    sent: Sent,
    expected: Option<Status>,
    /// Where in the answer the status is.
    tail: usize,
    what: String,
}

impl Asked {
    /// It must be answered with OK.
    pub fn is_good(&self) -> bool {
        self.expected == Some(Status::Ok)
    }

    /// It must come back unwritten.
    pub fn is_nothing(&self) -> bool {
        self.expected.is_none()
    }
}

impl Driver {
    /// Takes the device of this machine, and a huge page of its memory.
    pub fn open() -> Result<Driver> {
        Driver::new(Box::new(Transport::open(&find(IOMMU)?)?), memory::take()?, &functions()?)
    }

    /// Finds out which of these functions are behind the device.
    pub fn new(transport: Box<dyn Registers>, ram: GuestRam, functions: &[u32]) -> Result<Driver> {
        let (span, _) = ram.regions().into_iter().next().context("no memory")?;
        transport.reset()?;
        let config = transport.config()?;
        let (base, pages) = (span.start(), config.page_size_mask.get());
        let (granule, input) =
            (pages & pages.wrapping_neg(), (config.input_start.get(), config.input_end.get()));
        let oracle = Oracle::new(granule, input, (base, span.last()), Vec::new());
        let requests = queue(&*transport, &ram, REQUEST_QUEUE)?;
        let events = queue(&*transport, &ram, EVENT_QUEUE)?;
        let probe_size = config.probe_size.get();
        let lent = Vec::new();
        let mut driver = Driver { transport, ram, base, requests, events, lent, oracle, probe_size };
        driver.start()?;
        driver.oracle.endpoints = driver.find_endpoints(functions)?;
        Ok(driver)
    }

    /// Resets the device and sets it up again; the books are empty then.
    pub fn start(&mut self) -> Result<()> {
        self.transport.reset()?;
        self.oracle.reset();
        self.requests = queue(&*self.transport, &self.ram, REQUEST_QUEUE)?;
        self.events = queue(&*self.transport, &self.ram, EVENT_QUEUE)?;
        self.lent.clear();
        self.transport.negotiate(FEATURES)?;
        self.transport.set_queue(REQUEST_QUEUE as u16, place(&self.requests))?;
        self.transport.set_queue(EVENT_QUEUE as u16, place(&self.events))?;
        self.transport.set_status(ACKNOWLEDGE_DRIVER | FEATURES_OK | DRIVER_OK)?;
        ensure!(
            self.transport.status()? & NEEDS_RESET == 0,
            "the device needs a reset right after its start"
        );
        Ok(())
    }

    /// Negotiates and places only the request queue, there; the status after DRIVER_OK.
    pub fn start_at(&mut self, place: Option<Place>, features_ok: bool) -> Result<u8> {
        self.transport.reset()?;
        self.oracle.reset();
        if features_ok {
            self.transport.negotiate(FEATURES)?;
        }
        if let Some(place) = place {
            self.transport.set_queue(REQUEST_QUEUE as u16, place)?;
        }
        self.transport.set_status(self.transport.status()? | DRIVER_OK)?;
        self.transport.status()
    }

    /// Those of the functions that the device knows, with the regions that they must not map.
    fn find_endpoints(&mut self, functions: &[u32]) -> Result<Vec<Endpoint>> {
        let mut endpoints = Vec::new();
        for id in functions {
            let asked = self.send(&Request::Probe { endpoint: *id }, Status::Ok);
            self.transport.notify(REQUEST_QUEUE as u16)?;
            let used = self.requests.wait(PATIENCE).context("no answer to PROBE")?;
            let reply = self.requests.reply(&asked.sent, used);
            if reply.bytes.get(asked.tail) != Some(&(Status::Ok as u8)) {
                continue;
            }
            let known = properties(&reply.bytes[..asked.tail]);
            let regions = known.filter_map(|property| match property {
                Property::ResvMem(region) => Some((region.span.start(), region.span.last())),
                _ => None,
            });
            endpoints.push(Endpoint::new(*id, regions.collect()));
        }
        ensure!(!endpoints.is_empty(), "no device is behind the virtio-iommu");
        Ok(endpoints)
    }

    /// Puts a well-formed request into the ring, `expected` being its answer.
    fn send(&mut self, request: &Request, expected: Status) -> Asked {
        let tail = self.tail_of(request);
        let sent = self.requests.chain().readable(&bytes(request)).writable((tail + TAIL_SIZE) as u32).send();
        Asked { sent, expected: Some(expected), tail, what: format!("{request:x?}") }
    }

    /// The same, answered by the books, in pieces of at most these bytes.
    pub fn ask_in_pieces(&mut self, request: &Request, (read, write): (usize, u32)) -> Asked {
        let expected = self.oracle.answer(request);
        let tail = self.tail_of(request);
        let chain = self.requests.chain().readable_in_pieces(&bytes(request), read);
        let sent = chain.writable_in_pieces((tail + TAIL_SIZE) as u32, write).send();
        Asked { sent, expected: Some(expected), tail, what: format!("{request:x?} in pieces") }
    }

    /// Puts a request into the ring; the books say what must be answered.
    pub fn ask(&mut self, request: &Request) -> Asked {
        let expected = self.oracle.answer(request);
        self.send(request, expected)
    }

    /// Puts bytes that are no request, or have no room for an answer, into the ring.
    pub fn ask_nothing(&mut self, readable: &[u8], writable: u32) -> Asked {
        let mut chain = self.requests.chain().readable(readable);
        if writable > 0 {
            chain = chain.writable(writable);
        }
        let what = format!("{readable:x?}, {writable} bytes for the answer");
        Asked { sent: chain.send(), expected: None, tail: 0, what }
    }

    /// Puts a chain of buffers anywhere into the ring, which is not to be carried out.
    pub fn ask_astray(&mut self, parts: &[(u64, u32, bool)]) -> Asked {
        let chain =
            parts.iter().fold(self.requests.chain(), |chain, (at, len, write)| chain.part(*at, *len, *write));
        let mut sent = chain.send();
        sent.writable.clear();
        Asked { sent, expected: None, tail: 0, what: format!("{parts:x?}") }
    }

    /// Descriptors that a chain takes at most whose pieces have so many bytes.
    pub fn longest_chain(&self, read: usize, write: usize) -> usize {
        MAX_REQUEST_SIZE.div_ceil(read) + (self.probe_size as usize + TAIL_SIZE).div_ceil(write)
    }

    fn tail_of(&self, request: &Request) -> usize {
        match request {
            Request::Probe { .. } => self.probe_size as usize,
            _ => 0,
        }
    }

    /// Notifies the device and takes every answer, in any order.
    pub fn finish(&mut self, mut asked: Vec<Asked>) -> Result<()> {
        self.transport.notify(REQUEST_QUEUE as u16)?;
        while !asked.is_empty() {
            let Some(used) = self.requests.wait(PATIENCE) else {
                bail!("no answer within {PATIENCE:?} to {}", asked[0].what);
            };
            let at = asked.iter().position(|asked| u32::from(asked.sent.head) == used.id);
            let asked = asked.remove(at.with_context(|| format!("{used:?} was never asked"))?);
            self.judge(&asked, used)?;
        }
        let status = self.transport.status()?;
        ensure!(status & NEEDS_RESET == 0, "the device needs a reset after requests that it answered");
        Ok(())
    }

    fn judge(&self, asked: &Asked, used: Used) -> Result<()> {
        let reply = self.requests.reply(&asked.sent, used);
        let Some(expected) = asked.expected else {
            let untouched = used.len == 0 && reply.bytes.iter().all(|byte| *byte == UNTOUCHED);
            ensure!(untouched, "{}: used length {}, wrote {:x?}", asked.what, used.len, reply.bytes);
            return Ok(());
        };
        let len = asked.tail + TAIL_SIZE;
        let status = reply.bytes.get(asked.tail).copied().and_then(Status::from_wire);
        ensure!(
            status == Some(expected) && used.len as usize == len,
            "{}: answered {status:?} with used length {}, expected {expected:?} with {len}",
            asked.what,
            used.len
        );
        Ok(())
    }

    /// Notifies the device and takes one answer, whatever it is.
    pub fn answer_of(&mut self, asked: Asked) -> Result<Option<Status>> {
        self.transport.notify(REQUEST_QUEUE as u16)?;
        let used = self.requests.wait(PATIENCE).with_context(|| format!("no answer to {}", asked.what))?;
        let reply = self.requests.reply(&asked.sent, used);
        Ok(reply.bytes.get(asked.tail).copied().and_then(Status::from_wire))
    }

    /// Lends the device buffers for `count` reports of faults.
    pub fn lend(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            let sent = self.events.chain().writable(FAULT_SIZE as u32).send();
            self.lent.push(sent);
        }
        self.transport.notify(EVENT_QUEUE as u16)
    }

    /// The next report of a fault, whose buffer is lent again; `None` when none comes for `limit`.
    pub fn report(&mut self, limit: Duration) -> Result<Option<Vec<u8>>> {
        let Some(used) = self.events.wait(limit) else { return Ok(None) };
        let at = self.lent.iter().position(|sent| u32::from(sent.head) == used.id);
        let sent = self.lent.remove(at.with_context(|| format!("{used:?} was never lent"))?);
        let reply = self.events.reply(&sent, used);
        ensure!(used.len as usize == reply.bytes.len(), "a report of {} bytes", used.len);
        for (at, len) in sent.writable {
            self.lent.push(self.events.chain().part(at, len, true).send());
        }
        self.transport.notify(EVENT_QUEUE as u16)?;
        Ok(Some(reply.bytes))
    }

    /// One request and its answer.
    pub fn settle(&mut self, request: &Request) -> Result<()> {
        let asked = self.ask(request);
        self.finish(vec![asked])
    }
}

/// A fresh ring for queue `index`, zeroed.
fn queue(transport: &dyn Registers, ram: &GuestRam, index: usize) -> Result<DriverQueue> {
    let size = transport.queue_size(index as u16)?;
    let base = ram.regions().first().map_or(0, |(span, _)| span.start());
    Ok(DriverQueue::new(ram.mem.clone(), base + AREA * index as u64, AREA, size, false))
}

pub fn place(queue: &DriverQueue) -> Place {
    let layout = queue.layout;
    Place { desc: layout.desc, avail: layout.avail, used: layout.used }
}

/// Requester ids of all PCI functions.
fn functions() -> Result<Vec<u32>> {
    let mut ids = Vec::new();
    for entry in std::fs::read_dir("/sys/bus/pci/devices")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let bdf: data_model::HostBdf =
            name.parse().map_err(|_| anyhow::anyhow!("{name} is no PCI address"))?;
        ids.push(u32::from(bdf.bdf.id()));
    }
    ids.sort_unstable();
    Ok(ids)
}
