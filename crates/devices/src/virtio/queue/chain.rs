//! The buffers of one request.

use base::GuestMem;
use vm_memory::{Bytes, GuestAddress};

use super::RingError;

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

    /// Copies readable bytes from the first on; how many there were for `data`.
    pub fn read(&self, mem: &GuestMem, data: &mut [u8]) -> Result<usize, RingError> {
        let mut done = 0;
        for (addr, len) in &self.readable {
            let rest = data.get_mut(done..).unwrap_or_default();
            let take = rest.len().min(*len as usize);
            let Some(part) = rest.get_mut(..take) else { break };
            mem.read_slice(part, GuestAddress(*addr)).map_err(|_| RingError::Memory)?;
            done += take;
        }
        Ok(done)
    }

    /// Writes `data` from byte `offset` of the writable part on; how much had room.
    pub fn write(&self, mem: &GuestMem, offset: u32, data: &[u8]) -> Result<usize, RingError> {
        let mut skip = offset as usize;
        let mut done = 0;
        for (addr, len) in &self.writable {
            let len = *len as usize;
            if skip >= len {
                skip -= len;
                continue;
            }
            let rest = data.get(done..).unwrap_or_default();
            let part = rest.get(..rest.len().min(len - skip)).unwrap_or_default();
            mem.write_slice(part, GuestAddress(addr.saturating_add(skip as u64)))
                .map_err(|_| RingError::Memory)?;
            done += part.len();
            skip = 0;
        }
        Ok(done)
    }
}
