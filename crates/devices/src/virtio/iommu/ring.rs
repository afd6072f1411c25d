//! A virtqueue in place: its parts are looked up in guest memory once, and not with each access.
//!
//! A request is four bytes here and sixteen there, all over the ring; to look each up costs more than all that is done with them.
//! Invariants: the parts lie in guest RAM for as long as the ring is there; nothing that the driver writes leads out of them.
//! `None` means that the driver has broken a rule after which the ring cannot be used.

use std::sync::atomic::{AtomicU16, AtomicU32, Ordering, fence};

use base::GuestMem;
use virtio_bindings::bindings::virtio_ring::{VRING_AVAIL_F_NO_INTERRUPT, VRING_USED_F_NO_NOTIFY};
use virtio_queue::{Queue, QueueT};
use vm_memory::{AtomicInteger, GuestAddress, GuestMemoryBackend, VolatileMemory, VolatileSlice};

pub(super) use self::descriptors::{Descriptor, Descriptors};

mod descriptors;

/// Bytes of a descriptor.
const DESCRIPTOR: usize = 16;
/// Bytes before the entries of either ring: flags and index.
const HEAD: usize = 4;
/// Where the index stands in it.
const INDEX: usize = 2;
/// Bytes of an entry of the available ring.
const AVAILABLE: usize = 2;
/// Bytes of an entry of the used ring: the head, and the length.
const USED: usize = 8;
/// Bytes after the entries: the index that is waited for.
const TAIL: usize = 2;

/// A queue in use.
pub(super) struct DirectRing<'m> {
    descriptors: VolatileSlice<'m>,
    available: VolatileSlice<'m>,
    used: VolatileSlice<'m>,
    /// Entries, a power of two.
    size: u16,
    event_idx: bool,
    /// The next chain to take, and the next place for one that is given back; both count on beyond the size.
    next_available: u16,
    next_used: u16,
    /// Chains given back since it was last asked whether the driver wants to know.
    untold: u16,
}

impl<'m> DirectRing<'m> {
    /// The queue as its registers describe it, which keep it aligned; `None` when a part is not in one piece of guest RAM.
    pub(super) fn new(queue: &Queue, mem: &'m GuestMem) -> Option<DirectRing<'m>> {
        let size = usize::from(queue.size());
        let piece = |address, len| mem.get_slice(GuestAddress(address), len).ok();
        Some(DirectRing {
            descriptors: piece(queue.desc_table(), DESCRIPTOR * size)?,
            available: piece(queue.avail_ring(), HEAD + AVAILABLE * size + TAIL)?,
            used: piece(queue.used_ring(), HEAD + USED * size + TAIL)?,
            size: queue.size(),
            event_idx: queue.event_idx_enabled(),
            next_available: queue.next_avail(),
            next_used: queue.next_used(),
            untold: 0,
        })
    }

    /// Chains that wait; `None` when the driver's index is further ahead than the ring is long.
    #[inline]
    pub(super) fn waiting(&self) -> Option<u16> {
        let index = load(&self.available, INDEX, Ordering::Acquire)?;
        let waiting = index.wrapping_sub(self.next_available);
        (waiting <= self.size).then_some(waiting)
    }

    /// The head of the next chain; `Some(None)` when none waits.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Option<u16>> {
        match self.waiting()? {
            0 => Some(None),
            _ => self.take().map(Some),
        }
    }

    /// Takes the next chain, which [`DirectRing::waiting`] has told of: its head.
    #[inline]
    fn take(&mut self) -> Option<u16> {
        let slot = usize::from(self.next_available & (self.size - 1));
        let head = load(&self.available, HEAD + AVAILABLE * slot, Ordering::Relaxed)?;
        self.next_available = self.next_available.wrapping_add(1);
        Some(head)
    }

    /// The descriptors of the chain that begins at `head`.
    #[inline]
    pub(super) fn chain(&self, head: u16) -> Descriptors<'m> {
        Descriptors::new(self.descriptors, self.size, head)
    }

    /// Puts a chain into the used ring, `len` bytes of it written (T1).
    #[inline]
    pub(super) fn give_back(&mut self, head: u16, len: u32) -> Option<()> {
        if head >= self.size {
            return None;
        }
        let at = HEAD + USED * usize::from(self.next_used & (self.size - 1));
        part::<AtomicU32>(&self.used, at)?.store(u32::from(head).to_le(), Ordering::Relaxed);
        part::<AtomicU32>(&self.used, at + 4)?.store(len.to_le(), Ordering::Relaxed);
        self.next_used = self.next_used.wrapping_add(1);
        self.untold = self.untold.wrapping_add(1);
        store(&self.used, INDEX, self.next_used, Ordering::Release)
    }

    /// Whether the driver wants an interrupt for what was given back, by either kind of suppression (T4).
    #[inline]
    pub(super) fn interrupt_wanted(&mut self) -> Option<bool> {
        // The used index must be out before it is looked at what the driver waits for.
        fence(Ordering::SeqCst);
        let given = std::mem::take(&mut self.untold);
        if !self.event_idx {
            let flags = load(&self.available, 0, Ordering::Relaxed)?;
            return Some(u32::from(flags) & VRING_AVAIL_F_NO_INTERRUPT == 0);
        }
        let event = load(&self.available, HEAD + AVAILABLE * usize::from(self.size), Ordering::Relaxed)?;
        Some(self.next_used.wrapping_sub(event).wrapping_sub(1) < given)
    }

    /// Lets the driver not kick. With event indexes it does not, past the one that was asked for last.
    pub(super) fn suppress_kicks(&self) -> Option<()> {
        if self.event_idx {
            return Some(());
        }
        store(&self.used, 0, VRING_USED_F_NO_NOTIFY as u16, Ordering::Relaxed)
    }

    /// Asks for a kick with the next chain; whether one has come meanwhile, of which there may be none.
    pub(super) fn ask_for_kicks(&self) -> Option<bool> {
        if self.event_idx {
            let at = HEAD + USED * usize::from(self.size);
            store(&self.used, at, self.next_available, Ordering::Relaxed)?;
        } else {
            store(&self.used, 0, 0, Ordering::Relaxed)?;
        }
        // The driver must see it before the index is looked at once more.
        fence(Ordering::SeqCst);
        Some(load(&self.available, INDEX, Ordering::Relaxed)? != self.next_available)
    }
}

/// An integer of a part. With the order of the access known where it is made, each is an instruction or two; the memory crate's own
/// loads and stores take the order as a value, in a call.
#[inline]
fn part<'a, A: AtomicInteger>(part: &'a VolatileSlice, at: usize) -> Option<&'a A> {
    part.get_atomic_ref(at).ok()
}

#[inline]
fn load(slice: &VolatileSlice, at: usize, order: Ordering) -> Option<u16> {
    Some(u16::from_le(part::<AtomicU16>(slice, at)?.load(order)))
}

#[inline]
fn store(slice: &VolatileSlice, at: usize, value: u16, order: Ordering) -> Option<()> {
    part::<AtomicU16>(slice, at)?.store(value.to_le(), order);
    Some(())
}

#[cfg(test)]
mod tests;
