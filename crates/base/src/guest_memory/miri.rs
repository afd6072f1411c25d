//! Guest RAM under miri, which knows no memory files and maps no file: plain memory on whole pages, and a file of that size
//! which nobody maps.
//!
//! Invariant: memory is never given back, as nobody says when its last user is gone; the run tells miri not to mind.

use std::alloc::{Layout, alloc_zeroed};
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{MAP_PRIVATE, PROT_READ, PROT_WRITE};
use vm_memory::{FileOffset, MmapRegion};

const PAGE: usize = 4096;

/// A file that has no name any more.
pub fn memfd(size: u64) -> io::Result<File> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let (process, number) = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(format!("mixvm-miri-{process}-{number}"));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    file.set_len(size)?;
    Ok(file)
}

/// Zeroed memory in place of a part of the file.
pub fn map(_: FileOffset, len: usize) -> Result<MmapRegion, String> {
    let layout = Layout::from_size_align(len, PAGE).map_err(|error| error.to_string())?;
    if len == 0 {
        return Err("nothing to map".into());
    }
    // SAFETY: the layout has a size, as was just checked.
    let address = unsafe { alloc_zeroed(layout) };
    // SAFETY: these are `len` bytes that nobody else uses and that are never freed.
    let region = unsafe { MmapRegion::build_raw(address, len, PROT_READ | PROT_WRITE, MAP_PRIVATE) };
    region.map_err(|error| error.to_string())
}
