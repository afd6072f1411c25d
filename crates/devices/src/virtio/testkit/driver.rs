//! A split ring from the driver's side: builds chains in guest memory, kicks, waits for used entries.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::{Duration, Instant};

use base::{EventFd, GuestMem};
use virtio_queue::{Queue, QueueT};
use vm_memory::{Bytes, GuestAddress};

use super::{RawDesc, RingLayout, SECOND};
use crate::virtio::QueueHandle;

/// An entry of the used ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Head of the chain that came back.
    pub id: u32,
    /// Bytes that the device says it wrote.
    pub len: u32,
}

/// A chain given to the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its head: the id in the used ring.
    pub head: u16,
    /// Address and size of each writable buffer, in order.
    pub writable: Vec<(u64, u32)>,
}

/// What came back for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The used length.
    pub len: u32,
    /// All bytes of the writable part, also those beyond `len`; the kit fills them with 0xa5 before.
    pub bytes: Vec<u8>,
}

/// One queue as its driver holds it. Buffers come from an area behind the ring; the area starts anew whenever the
/// device holds no chain.
pub struct DriverQueue {
    pub(super) mem: Arc<GuestMem>,
    /// Where the ring lies.
    pub layout: RingLayout,
    /// What is added to each address that the device is told: its IOVAs are so far above the addresses in guest memory.
    pub shift: u64,
    size: u16,
    kick: EventFd,
    event_idx: bool,
    avail: u16,
    kicked: u16,
    kicks: u64,
    seen: u16,
    pub(super) free: Vec<u16>,
    pub(super) out: BTreeMap<u16, Vec<u16>>,
    cursor: u64,
    limit: u64,
}

impl DriverQueue {
    /// A ring of `size` entries in the `bytes` from the page-aligned address `base` on.
    pub fn new(mem: Arc<GuestMem>, base: u64, bytes: u64, size: u16, event_idx: bool) -> DriverQueue {
        let layout = RingLayout::at(base, size);
        assert!(layout.end < base + bytes, "no room for buffers behind the ring");
        mem.write_slice(&vec![0; (layout.end - base) as usize], GuestAddress(base))
            .expect("the ring is in RAM");
        DriverQueue {
            mem,
            layout,
            shift: 0,
            size,
            kick: base::new_event().expect("an event"),
            event_idx,
            avail: 0,
            kicked: 0,
            kicks: 0,
            seen: 0,
            free: (0..size).rev().collect(),
            out: BTreeMap::new(),
            cursor: layout.end,
            limit: base + bytes,
        }
    }

    /// The same queue as the device takes it.
    pub fn handle(&self) -> QueueHandle {
        let mut queue = Queue::new(self.size).expect("a power of two");
        queue.try_set_desc_table_address(GuestAddress(self.layout.desc + self.shift)).expect("aligned");
        queue.try_set_avail_ring_address(GuestAddress(self.layout.avail + self.shift)).expect("aligned");
        queue.try_set_used_ring_address(GuestAddress(self.layout.used + self.shift)).expect("aligned");
        queue.set_event_idx(self.event_idx);
        queue.set_ready(true);
        QueueHandle { queue, kick: self.kick.try_clone().expect("an event") }
    }

    /// Guest memory.
    pub fn memory(&self) -> &GuestMem {
        &self.mem
    }

    /// Starts a well-formed chain.
    pub fn chain(&mut self) -> ChainBuilder<'_> {
        ChainBuilder { queue: self, parts: Vec::new(), indirect: false }
    }

    /// Descriptors that no chain holds: the next one may have as many parts.
    pub fn room(&self) -> usize {
        self.free.len()
    }

    /// Takes `len` bytes of the buffer area, aligned to 16, filled with 0xa5.
    pub fn buffer(&mut self, len: u32) -> u64 {
        if self.out.is_empty() && self.cursor + u64::from(len) > self.limit {
            self.cursor = self.layout.end;
        }
        let at = self.cursor;
        self.cursor = (at + u64::from(len) + 15) & !15;
        assert!(self.cursor <= self.limit, "the buffer area is full");
        self.mem.write_slice(&vec![0xa5; len as usize], GuestAddress(at)).expect("the area is in RAM");
        at
    }

    /// Starts the buffer area anew, so that all of it is there for the next chains. The device must hold none.
    pub fn rewind(&mut self) {
        assert!(self.out.is_empty(), "the device may still write to a buffer");
        self.cursor = self.layout.end;
    }

    /// Writes descriptor `index` of the ring's own table as it stands.
    pub fn raw(&mut self, index: u16, desc: RawDesc) {
        self.raw_at(self.layout.desc + 16 * u64::from(index), desc);
    }

    /// Writes a descriptor anywhere: part of an indirect table.
    pub fn raw_at(&self, address: u64, desc: RawDesc) {
        self.mem.write_slice(&desc.bytes(), GuestAddress(address)).expect("the table is in RAM");
    }

    /// Makes the chain at `head` available: any number, also one that is no descriptor.
    pub fn publish(&mut self, head: u16) {
        let slot = self.layout.avail + 4 + 2 * u64::from(self.avail % self.size);
        self.mem.write_obj(head.to_le(), GuestAddress(slot)).expect("the ring is in RAM");
        self.avail = self.avail.wrapping_add(1);
        self.set_avail_index(self.avail);
    }

    /// Writes the available index alone, right or wrong.
    pub fn set_avail_index(&mut self, index: u16) {
        let place = GuestAddress(self.layout.avail + 2);
        self.mem.store(index.to_le(), place, Ordering::Release).expect("the ring is in RAM");
    }

    /// Kicks without asking whether the device wants it.
    pub fn kick(&mut self) {
        self.kicked = self.avail;
        self.kicks += 1;
        self.kick.write(1).expect("an event takes a write");
    }

    /// Kicks as a driver does: only when the device's suppression fields ask for it. Whether it did.
    pub fn kick_if_wanted(&mut self) -> bool {
        let waiting = self.avail.wrapping_sub(self.kicked);
        let wanted = if self.event_idx { self.passed() < waiting } else { self.wants_kick() };
        if wanted {
            self.kick();
        }
        wanted
    }

    /// Whether the device would have to be kicked for one more chain.
    pub fn wants_kick(&self) -> bool {
        fence(Ordering::SeqCst);
        match self.event_idx {
            true => self.passed() == u16::MAX,
            false => self.word(self.layout.used) & 1 == 0,
        }
    }

    /// Kicks so far.
    pub fn kicks(&self) -> u64 {
        self.kicks
    }

    /// Chains past the one that the device wants to be kicked for (EVENT_IDX); -1 when that is the next.
    fn passed(&self) -> u16 {
        fence(Ordering::SeqCst);
        let event = self.word(self.layout.used + 4 + 8 * u64::from(self.size));
        self.avail.wrapping_sub(event).wrapping_sub(1)
    }

    /// Asks for an interrupt once the used index passes `index` (EVENT_IDX).
    pub fn set_used_event(&mut self, index: u16) {
        let place = self.layout.avail + 4 + 2 * u64::from(self.size);
        self.mem.write_obj(index.to_le(), GuestAddress(place)).expect("the ring is in RAM");
    }

    /// Asks for no interrupts, or for all (without EVENT_IDX).
    pub fn set_no_interrupt(&mut self, off: bool) {
        self.mem
            .write_obj(u16::from(off).to_le(), GuestAddress(self.layout.avail))
            .expect("the ring is in RAM");
    }

    /// The next used entry if there is one.
    pub fn poll(&mut self) -> Option<Used> {
        let place = GuestAddress(self.layout.used + 2);
        let index = u16::from_le(self.mem.load(place, Ordering::Acquire).expect("the ring is in RAM"));
        if index == self.seen {
            return None;
        }
        let entry = self.layout.used + 4 + 8 * u64::from(self.seen % self.size);
        let mut raw = [0u32; 2];
        for (n, word) in raw.iter_mut().enumerate() {
            *word = u32::from_le(self.mem.read_obj(GuestAddress(entry + 4 * n as u64)).expect("in RAM"));
        }
        self.seen = self.seen.wrapping_add(1);
        if let Some(taken) = u16::try_from(raw[0]).ok().and_then(|head| self.out.remove(&head)) {
            self.free.extend(taken);
        }
        Some(Used { id: raw[0], len: raw[1] })
    }

    /// The next used entry; `None` when none comes within `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<Used> {
        let end = Instant::now() + limit;
        loop {
            if let Some(used) = self.poll() {
                return Some(used);
            }
            if Instant::now() > end {
                return None;
            }
            std::thread::yield_now();
        }
    }

    /// One request: `request` readable, then `room` bytes writable; kicks if wanted and waits up to five seconds for it.
    pub fn request(&mut self, request: &[u8], room: u32) -> Option<Reply> {
        let mut chain = self.chain().readable(request);
        if room > 0 {
            chain = chain.writable(room);
        }
        let sent = chain.send();
        self.kick_if_wanted();
        let used = self.wait(5 * SECOND)?;
        (used.id == u32::from(sent.head)).then(|| self.reply(&sent, used))
    }

    /// The writable part of `sent` as it is now.
    pub fn reply(&self, sent: &Sent, used: Used) -> Reply {
        let mut bytes = Vec::new();
        for (at, len) in &sent.writable {
            let mut part = vec![0; *len as usize];
            self.mem.read_slice(&mut part, GuestAddress(*at)).expect("the buffer is in RAM");
            bytes.extend(part);
        }
        Reply { len: used.len, bytes }
    }

    /// The used index that the kit has seen: what [`DriverQueue::set_used_event`] takes to be told of the next entry.
    pub fn used_index(&self) -> u16 {
        self.seen
    }

    /// Chains that the device holds.
    pub fn in_flight(&self) -> usize {
        self.out.len()
    }

    fn word(&self, at: u64) -> u16 {
        u16::from_le(self.mem.load(GuestAddress(at), Ordering::Acquire).expect("the ring is in RAM"))
    }
}

/// A well-formed chain in the making; [`ChainBuilder::send`] makes it available, without a kick.
pub struct ChainBuilder<'a> {
    queue: &'a mut DriverQueue,
    parts: Vec<(u64, u32, u16)>,
    indirect: bool,
}

impl ChainBuilder<'_> {
    /// Adds one readable buffer.
    pub fn readable(mut self, bytes: &[u8]) -> Self {
        let at = self.queue.buffer(bytes.len() as u32);
        self.queue.mem.write_slice(bytes, GuestAddress(at)).expect("the buffer is in RAM");
        self.parts.push((at + self.queue.shift, bytes.len() as u32, 0));
        self
    }

    /// Adds readable buffers of at most `piece` bytes each.
    pub fn readable_in_pieces(mut self, bytes: &[u8], piece: usize) -> Self {
        for part in bytes.chunks(piece) {
            self = self.readable(part);
        }
        self
    }

    /// Adds one writable buffer.
    pub fn writable(mut self, len: u32) -> Self {
        let at = self.queue.buffer(len);
        self.parts.push((at + self.queue.shift, len, RawDesc::WRITE));
        self
    }

    /// Adds writable buffers of at most `piece` bytes each, `len` in all.
    pub fn writable_in_pieces(mut self, len: u32, piece: u32) -> Self {
        let mut left = len;
        while left > 0 {
            self = self.writable(left.min(piece));
            left -= left.min(piece);
        }
        self
    }

    /// Adds a buffer anywhere, at the device's own address, of any kind.
    pub fn part(mut self, addr: u64, len: u32, writable: bool) -> Self {
        self.parts.push((addr, len, if writable { RawDesc::WRITE } else { 0 }));
        self
    }

    /// Puts the descriptors into an indirect table.
    pub fn indirect(mut self) -> Self {
        self.indirect = true;
        self
    }

    /// Writes the descriptors and makes the chain available.
    pub fn send(self) -> Sent {
        let ChainBuilder { queue, parts, indirect } = self;
        let writable = parts.iter().filter(|p| p.2 & RawDesc::WRITE != 0);
        let writable = writable.map(|p| (p.0.wrapping_sub(queue.shift), p.1)).collect();
        let wanted = if indirect { 1 } else { parts.len() };
        let taken: Vec<u16> = (0..wanted).map(|_| queue.free.pop().expect("the ring is full")).collect();
        let head = *taken.first().expect("a chain has a part");
        if indirect {
            let len = 16 * parts.len() as u32;
            let table = queue.buffer(len);
            for (n, desc) in linked(&parts, |n| n as u16).into_iter().enumerate() {
                queue.raw_at(table + 16 * n as u64, desc);
            }
            queue.raw(head, RawDesc { addr: table + queue.shift, len, flags: RawDesc::INDIRECT, next: 0 });
        } else {
            for (n, desc) in linked(&parts, |n| taken[n]).into_iter().enumerate() {
                queue.raw(taken[n], desc);
            }
        }
        queue.out.insert(head, taken);
        queue.publish(head);
        Sent { head, writable }
    }
}

/// The parts as descriptors, each pointing to the next.
fn linked(parts: &[(u64, u32, u16)], index: impl Fn(usize) -> u16) -> Vec<RawDesc> {
    let link = |(n, (addr, len, kind)): (usize, &(u64, u32, u16))| match n + 1 < parts.len() {
        true => RawDesc { addr: *addr, len: *len, flags: kind | RawDesc::NEXT, next: index(n + 1) },
        false => RawDesc { addr: *addr, len: *len, flags: *kind, next: 0 },
    };
    parts.iter().enumerate().map(link).collect()
}
