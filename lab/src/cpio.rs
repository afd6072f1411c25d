//! Writes initramfs archives (cpio, the "newc" layout that the kernel unpacks).
//!
//! Invariant: every entry starts and ends on a multiple of four bytes, and inode numbers never repeat, so the
//! kernel never takes two files for hard links.

use std::io::{self, Write};

const ALIGN: usize = 4;
const TRAILER: &str = "TRAILER!!!";

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Directory,
    File { executable: bool },
    Symlink,
    CharDevice { major: u32, minor: u32 },
}

impl Kind {
    fn mode(self) -> u32 {
        match self {
            Kind::Directory => 0o040_755,
            Kind::File { executable: true } => 0o100_755,
            Kind::File { executable: false } => 0o100_644,
            Kind::Symlink => 0o120_777,
            Kind::CharDevice { .. } => 0o020_600,
        }
    }
}

/// An archive under construction.
pub struct Archive<W: Write> {
    out: W,
    entries: u32,
}

impl<W: Write> Archive<W> {
    /// Starts an empty archive.
    pub fn new(out: W) -> Self {
        Self { out, entries: 0 }
    }

    /// Adds a folder; its parents must have been added before.
    pub fn directory(&mut self, path: &str) -> io::Result<()> {
        self.entry(path, Kind::Directory, &[])
    }

    /// Adds a file.
    pub fn file(&mut self, path: &str, data: &[u8], executable: bool) -> io::Result<()> {
        self.entry(path, Kind::File { executable }, data)
    }

    /// Adds a symbolic link to `target`.
    pub fn symlink(&mut self, path: &str, target: &str) -> io::Result<()> {
        self.entry(path, Kind::Symlink, target.as_bytes())
    }

    /// Adds a character device node.
    pub fn char_device(&mut self, path: &str, major: u32, minor: u32) -> io::Result<()> {
        self.entry(path, Kind::CharDevice { major, minor }, &[])
    }

    /// Ends the archive and hands the writer back.
    pub fn finish(mut self) -> io::Result<W> {
        self.entry(TRAILER, Kind::File { executable: false }, &[])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn entry(&mut self, path: &str, kind: Kind, data: &[u8]) -> io::Result<()> {
        let too_long = |_| io::Error::new(io::ErrorKind::InvalidInput, format!("{path}: over 4 GiB"));
        let size = u32::try_from(data.len()).map_err(too_long)?;
        let name_size = u32::try_from(path.len() + 1).map_err(too_long)?;
        let (major, minor) = match kind {
            Kind::CharDevice { major, minor } => (major, minor),
            _ => (0, 0),
        };
        self.entries += 1;
        let links = if kind == Kind::Directory { 2 } else { 1 };
        // ino, mode, uid, gid, nlink, mtime, size, device, special device, name size, checksum
        let fields = [self.entries, kind.mode(), 0, 0, links, 0, size, 0, 0, major, minor, name_size, 0];
        let mut head = String::from("070701");
        for field in fields {
            head.push_str(&format!("{field:08x}"));
        }
        head.push_str(path);
        head.push('\0');
        self.padded(head.as_bytes())?;
        self.padded(data)
    }

    fn padded(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        let rest = bytes.len() % ALIGN;
        if rest != 0 {
            self.out.write_all(&[0; ALIGN][rest..])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
