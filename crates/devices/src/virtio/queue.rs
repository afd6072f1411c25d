//! A queue from the device's side: strict about chains, silent about guests' mistakes.
//!
//! Use: on each wake [`Ring::quiet`], then [`Ring::pop`] until it gives `None`, then [`Ring::ask`]; when that says that
//! more came meanwhile, start over. After a [`RingError`] the queue is dead: tell the driver by
//! `VirtioInterrupt::needs_reset` once and stop using it.
//! Invariant: in a [`Chain`] readable parts come first, and its length fits into 32 bits. Without an IOMMU what it names
//! lies in guest RAM; behind one a buffer is looked up when it is used, and a request whose buffer the device may not use
//! fails alone. Ring and tables of descriptors are looked up with each access too; a queue that has lost them is dead.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use thiserror::Error;
use virtio_bindings::bindings::virtio_ring::{VRING_AVAIL_F_NO_INTERRUPT, VRING_DESC_F_INDIRECT};
use virtio_bindings::bindings::virtio_ring::{VRING_DESC_F_NEXT, VRING_DESC_F_WRITE};
use virtio_queue::{Queue, QueueT};
use vm_memory::{Bytes, GuestAddress, GuestMemory, Permissions};

pub use self::chain::{Chain, Unreachable};
use super::device::QueueHandle;
use super::dma::Dma;
use super::thread::Stop;

mod chain;

/// Most descriptors of an indirect table: far more than a driver has use for.
const MAX_INDIRECT: u32 = 1024;

/// `VIRTIO_RING_F_INDIRECT_DESC`
pub const F_INDIRECT_DESC: u64 = 1 << 28;
/// `VIRTIO_RING_F_EVENT_IDX`
pub const F_EVENT_IDX: u64 = 1 << 29;

/// The driver broke the rules of the ring; it cannot be used further.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RingError {
    /// The device cannot reach the ring.
    #[error("the ring cannot be reached")]
    Memory,
    /// More chains are available than the ring has entries.
    #[error("available index {index} is impossible")]
    Index {
        /// What the driver wrote.
        index: u16,
    },
    /// A chain that no driver may build.
    #[error("descriptor chain {head}: {why}")]
    Chain {
        /// Its head.
        head: u16,
        /// Which rule it breaks.
        why: &'static str,
    },
}

/// A queue in use.
pub struct Ring {
    queue: Queue,
    mem: Dma,
    indirect: bool,
    stop: Option<Arc<Stop>>,
}

/// One descriptor, decoded.
struct Desc {
    addr: u64,
    len: u32,
    flags: u32,
    next: u16,
}

impl Ring {
    /// The ring of `handle` with the negotiated `features`.
    pub fn new(handle: QueueHandle, mem: Dma, features: u64) -> (Ring, base::EventFd) {
        let mut queue = handle.queue;
        queue.set_event_idx(features & F_EVENT_IDX != 0);
        (Ring { queue, mem, indirect: features & F_INDIRECT_DESC != 0, stop: None }, handle.kick)
    }

    /// The same ring, used until `stop` is asked for.
    pub(super) fn until(self, stop: Arc<Stop>) -> Ring {
        Ring { stop: Some(stop), ..self }
    }

    /// Whether whoever uses the ring shall end: what is under way is not wanted any more.
    pub fn is_stopping(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.is_asked())
    }

    /// The memory that the ring and its buffers lie in.
    pub fn mem(&self) -> &Dma {
        &self.mem
    }

    /// Entries of the ring.
    pub fn size(&self) -> u16 {
        self.queue.size()
    }

    /// The next chain that the driver made available.
    pub fn pop(&mut self) -> Result<Option<Chain>, RingError> {
        let index = self.queue.avail_idx(&self.mem, Ordering::Acquire).map_err(|_| RingError::Memory)?.0;
        let next = self.queue.next_avail();
        match index.wrapping_sub(next) {
            0 => return Ok(None),
            waiting if waiting > self.queue.size() => return Err(RingError::Index { index }),
            _ => {}
        }
        let slot = 4 + 2 * u64::from(next % self.queue.size());
        let slot = self.queue.avail_ring().checked_add(slot).ok_or(RingError::Memory)?;
        let head = u16::from_le(self.mem.read_obj(GuestAddress(slot)).map_err(|_| RingError::Memory)?);
        let chain = self.walk(head)?;
        self.queue.set_next_avail(next.wrapping_add(1));
        Ok(Some(chain))
    }

    /// Gives a chain back with `len` bytes written.
    pub fn push(&mut self, head: u16, len: u32) -> Result<(), RingError> {
        self.queue.add_used(&self.mem, head, len).map_err(|_| RingError::Memory)
    }

    /// Whether the driver wants an interrupt for what was given back since the last call.
    pub fn interrupt_wanted(&mut self) -> Result<bool, RingError> {
        if self.queue.event_idx_enabled() {
            return self.queue.needs_notification(&self.mem).map_err(|_| RingError::Memory);
        }
        std::sync::atomic::fence(Ordering::SeqCst);
        let flags: u16 =
            self.mem.read_obj(GuestAddress(self.queue.avail_ring())).map_err(|_| RingError::Memory)?;
        Ok(u32::from(u16::from_le(flags)) & VRING_AVAIL_F_NO_INTERRUPT == 0)
    }

    /// Asks the driver not to kick: the device is looking.
    pub fn quiet(&mut self) -> Result<(), RingError> {
        self.queue.disable_notification(&self.mem).map_err(|_| RingError::Memory)
    }

    /// Asks the driver to kick again. `true`: a chain came meanwhile, look again.
    pub fn ask(&mut self) -> Result<bool, RingError> {
        self.queue.enable_notification(&self.mem).map_err(|_| RingError::Memory)
    }

    fn walk(&self, head: u16) -> Result<Chain, RingError> {
        let bad = |why| RingError::Chain { head, why };
        let mut chain = Chain::new(head);
        let mut table = (self.queue.desc_table(), u32::from(self.queue.size()));
        let mut index = head;
        let mut left = table.1;
        let mut inside = false;
        loop {
            left = left.checked_sub(1).ok_or_else(|| bad("it has a loop"))?;
            let desc =
                self.descriptor(table, index).ok_or_else(|| bad("a descriptor lies outside its table"))?;
            if desc.flags & VRING_DESC_F_INDIRECT != 0 {
                self.check_indirect(&desc, inside).map_err(bad)?;
                table = (desc.addr, desc.len / 16);
                (index, left, inside) = (0, table.1, true);
                continue;
            }
            chain.add(&self.mem, &desc).map_err(bad)?;
            if desc.flags & VRING_DESC_F_NEXT == 0 {
                return Ok(chain);
            }
            index = desc.next;
        }
    }

    fn check_indirect(&self, desc: &Desc, inside: bool) -> Result<(), &'static str> {
        match desc {
            _ if !self.indirect => Err("indirect descriptors were not negotiated"),
            _ if inside => Err("an indirect table inside another"),
            Desc { flags, .. } if flags & VRING_DESC_F_NEXT != 0 => Err("an indirect table with a successor"),
            Desc { len, .. } if *len == 0 || len % 16 != 0 => Err("an indirect table of odd size"),
            Desc { len, .. } if len / 16 > MAX_INDIRECT => Err("an indirect table that is too long"),
            _ => Ok(()),
        }
    }

    /// Reads descriptor `index` of a table: address and entries.
    fn descriptor(&self, (table, entries): (u64, u32), index: u16) -> Option<Desc> {
        if u32::from(index) >= entries {
            return None;
        }
        let mut raw = [0u8; 16];
        let at = table.checked_add(16 * u64::from(index))?;
        self.mem.read_slice(&mut raw, GuestAddress(at)).ok()?;
        let [a @ .., l0, l1, l2, l3, f0, f1, n0, n1] = raw;
        Some(Desc {
            addr: u64::from_le_bytes(a),
            len: u32::from_le_bytes([l0, l1, l2, l3]),
            flags: u32::from(u16::from_le_bytes([f0, f1])),
            next: u16::from_le_bytes([n0, n1]),
        })
    }
}

impl Chain {
    /// Takes a descriptor's buffer over, or says what is wrong with it.
    fn add(&mut self, mem: &Dma, desc: &Desc) -> Result<(), &'static str> {
        let writable = desc.flags & VRING_DESC_F_WRITE != 0;
        let access = if writable { Permissions::Write } else { Permissions::Read };
        if !mem.is_translated() && !mem.check_range(GuestAddress(desc.addr), desc.len as usize, access) {
            return Err("a buffer is not in guest memory");
        }
        self.append(desc.addr, desc.len, writable)
    }
}

#[cfg(test)]
mod tests;
