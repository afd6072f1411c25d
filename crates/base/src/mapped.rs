//! A piece of a file or device mapped into this process, unmapped on drop.
//!
//! Invariant: `address..address + len` stays mapped for as long as the value lives.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A shared, readable and writable mapping.
#[derive(Debug)]
pub struct MappedRegion {
    address: NonNull<u8>,
    len: usize,
    file: OwnedFd,
    offset: u64,
    writable: bool,
}

// SAFETY: the value is the address of a mapping that any thread may use or drop; it gives out no reference.
unsafe impl Send for MappedRegion {}
// SAFETY: as above.
unsafe impl Sync for MappedRegion {}

impl MappedRegion {
    /// Maps `len` bytes of `fd` from `offset` on, shared; both multiples of the page size.
    pub fn new(fd: impl AsFd, offset: u64, len: usize, writable: bool) -> io::Result<MappedRegion> {
        let mut prot = ProtFlags::READ;
        if writable {
            prot |= ProtFlags::WRITE;
        }
        let file = fd.as_fd().try_clone_to_owned()?;
        // SAFETY: a fresh mapping at an address of the kernel's choice touches no memory of this process.
        let address = unsafe { mmap(std::ptr::null_mut(), len, prot, MapFlags::SHARED, &file, offset)? };
        let address = NonNull::new(address.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(MappedRegion { address, len, file, offset, writable })
    }

    /// Where the mapping lies in this process (HVA).
    pub fn address(&self) -> u64 {
        self.address.as_ptr() as u64
    }

    /// The same, to be read and written by whole words.
    pub(crate) fn pointer(&self) -> *mut u8 {
        self.address.as_ptr()
    }

    /// Whether it may be written.
    pub(crate) fn is_writable(&self) -> bool {
        self.writable
    }

    /// The file that is mapped and where in it the mapping starts, so that another process can map the same.
    pub fn source(&self) -> (BorrowedFd<'_>, u64) {
        (self.file.as_fd(), self.offset)
    }

    /// Bytes mapped.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Never true: a mapping has at least one byte.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Drop for MappedRegion {
    fn drop(&mut self) {
        // SAFETY: the range is this value's own mapping, and no reference into it was ever given out.
        if let Err(error) = unsafe { munmap(self.address.as_ptr().cast(), self.len) } {
            log::error!("unmap {:#x}+{:#x}: {error}", self.address(), self.len);
        }
    }
}
