//! Memory whose guest-physical address is known: one huge page, which the kernel does not move.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, ensure};
use base::{GuestRam, MappedRegion};
use data_model::Span;
use rustix::fs::{MemfdFlags, memfd_create};

/// Bytes of it.
pub const BYTES: u64 = 2 << 20;
const POOL: &str = "/proc/sys/vm/nr_hugepages";
const PAGEMAP: &str = "/proc/self/pagemap";
/// In an entry of the page map: the page is there, and its number.
const PRESENT: u64 = 1 << 63;
const NUMBER: u64 = (1 << 55) - 1;

/// Takes a huge page; addresses in the result are the guest's physical ones.
pub fn take() -> Result<GuestRam> {
    fs::write(POOL, "1").with_context(|| format!("writing {POOL}"))?;
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::HUGETLB | MemfdFlags::HUGE_2MB;
    let file = File::from(memfd_create("rings", flags).context("making a file of huge pages")?);
    file.set_len(BYTES)?;
    let region = MappedRegion::new(&file, 0, BYTES as usize, true).context("mapping a huge page")?;
    region.write_word(0, 0u64).context("touching the huge page")?;
    let first = physical(region.address())?;
    let span = Span::from_len(first, BYTES).context("memory without bytes")?;
    // Every mapping of the file shows the same page.
    Ok(GuestRam::from_file(&[span], file)?)
}

/// Where an address of this process lies in the machine's memory.
fn physical(address: u64) -> Result<u64> {
    let page = rustix::param::page_size() as u64;
    let map = File::open(PAGEMAP).with_context(|| format!("opening {PAGEMAP}"))?;
    let mut entry = [0; 8];
    map.read_exact_at(&mut entry, address / page * 8).with_context(|| format!("reading {PAGEMAP}"))?;
    let entry = u64::from_le_bytes(entry);
    ensure!(
        entry & PRESENT != 0 && entry & NUMBER != 0,
        "{PAGEMAP} does not tell where memory lies: run as root"
    );
    Ok((entry & NUMBER) * page)
}
