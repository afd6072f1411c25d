//! Images in the format qcow2: they grow as they are written. The format itself is the crate `imago`'s.
//!
//! An image that refers to other files (a backing image, a data file) is not opened: the guest can write the part of the file
//! that names them.

use std::fs::File;
use std::io;

use imago::file::File as Storage;
use imago::qcow2::Qcow2;
use imago::{DenyImplicitOpenGate, FormatAccess, FormatDriverBuilder};
use sync::RwLock;

use super::Image;

/// A qcow2 image.
pub struct Qcow2Image {
    /// Exclusive only for what frees clusters: that would pull them from under other requests.
    access: RwLock<FormatAccess<Storage>>,
    len: u64,
}

impl Qcow2Image {
    /// The image in `file`.
    ///
    /// # Errors
    /// The file is no such image, refers to another one, or cannot be read.
    pub fn new(file: File, read_only: bool) -> io::Result<Qcow2Image> {
        let builder = Qcow2::<Storage>::builder(Storage::try_from(file)?).write(!read_only);
        let access = FormatAccess::new(builder.open(DenyImplicitOpenGate::default())?);
        let len = access.size();
        Ok(Qcow2Image { access: RwLock::new(access), len })
    }
}

impl Image for Qcow2Image {
    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, data: &mut [u8]) -> io::Result<()> {
        self.access.read().read(data, offset)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.access.read().write(data, offset)
    }

    fn flush(&self) -> io::Result<()> {
        let access = self.access.read();
        access.flush()?;
        access.sync()
    }

    fn discard(&self, offset: u64, len: u64) -> io::Result<()> {
        match self.access.write().discard_to_any(offset, len) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
            done => done,
        }
    }

    fn write_zeroes(&self, offset: u64, len: u64, unmap: bool) -> io::Result<()> {
        if unmap {
            return self.access.write().discard_to_zero(offset, len);
        }
        self.access.read().write_zeroes(offset, len)
    }
}
