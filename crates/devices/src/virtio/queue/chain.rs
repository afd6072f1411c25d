//! The buffers of one request.

use thiserror::Error;
use vm_memory::{Bytes, GuestAddress};

use crate::virtio::Dma;

/// A buffer of a request cannot be reached. The driver has been told by a fault where its IOMMU forbids it; the request
/// fails, the queue goes on.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a buffer of the request cannot be reached")]
pub struct Unreachable;

/// A chain: first what the device may read, then where it may write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    head: u16,
    /// Address and bytes of each readable buffer.
    readable: Vec<(u64, u32)>,
    /// Address and bytes of each writable buffer.
    writable: Vec<(u64, u32)>,
    readable_len: u32,
    writable_len: u32,
}

impl Chain {
    pub(super) fn new(head: u16) -> Chain {
        Chain { head, ..Chain::default() }
    }

    pub(super) fn append(&mut self, addr: u64, len: u32, writable: bool) -> Result<(), &'static str> {
        if !writable && !self.writable.is_empty() {
            return Err("a readable buffer behind a writable one");
        }
        let (list, sum) = match writable {
            true => (&mut self.writable, &mut self.writable_len),
            false => (&mut self.readable, &mut self.readable_len),
        };
        *sum = sum.checked_add(len).ok_or("longer than 4 GiB")?;
        list.push((addr, len));
        Ok(())
    }

    /// Its head, to be given to `Ring::push`.
    pub fn head(&self) -> u16 {
        self.head
    }

    /// Readable bytes.
    pub fn readable_len(&self) -> u32 {
        self.readable_len
    }

    /// Writable bytes.
    pub fn writable_len(&self) -> u32 {
        self.writable_len
    }

    /// Copies readable bytes from byte `offset` on; how many there were for `data`.
    pub fn read(&self, mem: &Dma, offset: u32, data: &mut [u8]) -> Result<usize, Unreachable> {
        let mut done = 0;
        for (addr, len) in parts(&self.readable, offset, data.len()) {
            let Some(part) = data.get_mut(done..).and_then(|rest| rest.get_mut(..len)) else { break };
            mem.read_slice(part, GuestAddress(addr)).map_err(|_| Unreachable)?;
            done += len;
        }
        Ok(done)
    }

    /// Writes `data` from byte `offset` of the writable part on; how much had room.
    pub fn write(&self, mem: &Dma, offset: u32, data: &[u8]) -> Result<usize, Unreachable> {
        let mut done = 0;
        for (addr, len) in parts(&self.writable, offset, data.len()) {
            let part = data.get(done..).and_then(|rest| rest.get(..len)).unwrap_or_default();
            mem.write_slice(part, GuestAddress(addr)).map_err(|_| Unreachable)?;
            done += len;
        }
        Ok(done)
    }
}

/// What of `buffers` holds `len` bytes from byte `offset` of them all on: addresses and lengths.
fn parts(buffers: &[(u64, u32)], offset: u32, len: usize) -> impl Iterator<Item = (u64, usize)> + '_ {
    let (mut skip, mut left) = (offset as usize, len);
    buffers.iter().filter_map(move |(addr, size)| {
        let size = *size as usize;
        let from = skip.min(size);
        skip -= from;
        let take = left.min(size - from);
        left -= take;
        // An address that wraps is beyond all memory, and fails as such.
        (take > 0).then(|| (addr.checked_add(from as u64).unwrap_or(u64::MAX), take))
    })
}
