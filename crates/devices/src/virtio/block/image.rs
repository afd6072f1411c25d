//! What a disk is made of: bytes at offsets.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
use rustix::io::Errno;

/// A disk's content. Offsets and lengths are in bytes and inside [`Image::len`]; the caller has checked.
pub trait Image: Send + Sync {
    /// Bytes of the disk.
    fn len(&self) -> u64;

    /// Whether there is not a byte.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads all of `data`.
    fn read(&self, offset: u64, data: &mut [u8]) -> io::Result<()>;

    /// Writes all of `data`.
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Makes what was written durable.
    fn flush(&self) -> io::Result<()>;

    /// The content is not needed any more. A hint: an image that cannot give space back does nothing.
    fn discard(&self, offset: u64, len: u64) -> io::Result<()>;

    /// Makes the content zero. `unmap`: the space may be given back.
    ///
    /// # Errors
    /// `Unsupported`: only by writing zeros, which is left to the caller, who can stop in the middle.
    fn write_zeroes(&self, offset: u64, len: u64, unmap: bool) -> io::Result<()>;
}

/// An image whose file is the disk, byte by byte; also a block device of the host.
pub struct RawImage {
    file: File,
    len: u64,
}

impl RawImage {
    /// The disk in `file`; what is behind its last whole sector is not shown.
    ///
    /// # Errors
    /// The host does not tell its length.
    pub fn new(file: File) -> io::Result<RawImage> {
        // Of a block device the metadata tell no length.
        let len = seek(&file, SeekFrom::End(0))?;
        Ok(RawImage { file, len })
    }

    /// Whether the file system could do it.
    fn fallocate(&self, flags: FallocateFlags, offset: u64, len: u64) -> io::Result<bool> {
        match fallocate(&self.file, flags | FallocateFlags::KEEP_SIZE, offset, len) {
            Ok(()) => Ok(true),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl Image for RawImage {
    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, data: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(data, offset)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }

    fn flush(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn discard(&self, offset: u64, len: u64) -> io::Result<()> {
        self.fallocate(FallocateFlags::PUNCH_HOLE, offset, len).map(drop)
    }

    fn write_zeroes(&self, offset: u64, len: u64, unmap: bool) -> io::Result<()> {
        let flags = if unmap { FallocateFlags::PUNCH_HOLE } else { FallocateFlags::ZERO_RANGE };
        match self.fallocate(flags, offset, len)? {
            true => Ok(()),
            false => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}
