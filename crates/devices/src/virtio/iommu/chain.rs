//! One descriptor chain as two byte streams: what the driver wrote, and where the answer goes.
//!
//! The table in guest memory is read once. Framing is free (a stream over any number of descriptors), but readable
//! parts come before writable ones and everything lies in guest RAM; a chain that breaks a rule is marked so and only
//! given back.

use std::sync::atomic::{Ordering, fence};

use virtio_iommu_spec::MAX_REQUEST_SIZE;
use vm_memory::GuestAddress;

use super::ram::Ram;
use super::ring::{Descriptor, Descriptors};

/// A chain taken apart; reused from request to request, so that the path allocates nothing once it is warm.
pub(super) struct Chain {
    request: [u8; MAX_REQUEST_SIZE],
    request_len: usize,
    writable: Vec<(GuestAddress, u32)>,
    malformed: bool,
}

impl Chain {
    /// An empty chain, to be loaded.
    pub(super) fn new() -> Chain {
        Chain { request: [0; MAX_REQUEST_SIZE], request_len: 0, writable: Vec::new(), malformed: false }
    }

    /// Reads a chain. A chain that loops or leaves the table ends early in the iterator; what is missing then shows as
    /// a part that is too small.
    pub(super) fn load(&mut self, descriptors: Descriptors, ram: &Ram) {
        (self.request_len, self.malformed) = (0, false);
        self.writable.clear();
        for descriptor in descriptors {
            if descriptor.is_writable() {
                self.writable.push((descriptor.address, descriptor.len));
            } else {
                self.read(&descriptor, ram);
            }
        }
    }

    fn read(&mut self, descriptor: &Descriptor, ram: &Ram) {
        if !self.writable.is_empty() {
            self.malformed = true;
            return;
        }
        let room = &mut self.request[self.request_len..MAX_REQUEST_SIZE];
        let len = room.len().min(descriptor.len as usize);
        if ram.read(descriptor.address, &mut room[..len]) {
            self.request_len += len;
        } else {
            self.malformed = true;
        }
    }

    /// The request's bytes; `None` when the chain is malformed.
    pub(super) fn request(&self) -> Option<&[u8]> {
        (!self.malformed).then(|| &self.request[..self.request_len])
    }

    /// Whether the first `len` bytes of the writable part exist and are RAM.
    pub(super) fn has_room(&self, len: usize, ram: &Ram) -> bool {
        let mut left = len as u64;
        for (address, size) in &self.writable {
            if left == 0 {
                break;
            }
            let part = left.min(u64::from(*size));
            if part > 0 && !ram.has(*address, part as usize) {
                return false;
            }
            left -= part;
        }
        left == 0
    }

    /// Writes `bytes` at `offset` of the writable part; whether all of it could be written.
    pub(super) fn write(&self, offset: usize, bytes: &[u8], ram: &Ram) -> bool {
        let (mut skip, mut rest) = (offset, bytes);
        for (address, size) in &self.writable {
            let size = *size as usize;
            if skip >= size {
                skip -= size;
                continue;
            }
            let (part, after) = rest.split_at(rest.len().min(size - skip));
            let Some(place) = address.0.checked_add(skip as u64) else { return false };
            if !ram.write(GuestAddress(place), part) {
                return false;
            }
            (skip, rest) = (0, after);
            if rest.is_empty() {
                break;
            }
        }
        // The answer must be there before the used index says so.
        fence(Ordering::Release);
        rest.is_empty()
    }
}
