//! The memory that is mapped, touched before any clock starts.

use std::fs;

use anyhow::{Context, Result};
use base::{GuestRam, HostMemory};
use data_model::Span;
use vm_memory::{Bytes, GuestAddress};

use super::{LARGE, PAGE};

/// Whether memory files may have huge pages: a kernel without the file has none.
const SWITCH: &str = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";

/// Pages are touched this many apart: neighbours in memory never are neighbours in the machine's, where a kernel that maps could
/// take them together. Odd, so that each is met once.
const STRIDE: u64 = 97;

/// In pages of 4 KiB that lie scattered, so that each is a mapping of its own for whoever stands behind an IOMMU.
pub fn small() -> Result<HostMemory> {
    let make = || touched(&ram()?, STRIDE);
    // A kernel without the switch has no huge pages to keep out.
    switched("never", make)?.map_or_else(make, Ok)
}

/// In pages of 2 MiB; `None` when not all of it came in such pages.
pub fn huge() -> Result<Option<HostMemory>> {
    let made = switched("advise", || {
        let ram = ram()?;
        ram.advise_huge_pages().context("asking for huge pages")?;
        touched(&ram, 1)
    })?;
    let Some(memory) = made else { return Ok(None) };
    let maps = fs::read_to_string("/proc/self/smaps").context("reading /proc/self/smaps")?;
    Ok((huge_kib(&maps) * 1024 >= LARGE).then_some(memory))
}

/// What `make` makes while the switch says `word`; `None` where there is no switch. It is the whole machine's, and guests may be
/// running on it: afterwards it says what it said before.
fn switched<T>(word: &str, make: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
    let Ok(before) = fs::read_to_string(SWITCH) else { return Ok(None) };
    if fs::write(SWITCH, word).is_err() {
        return Ok(None);
    }
    let made = make();
    let before = chosen(&before).context("the switch of huge pages says nothing")?;
    fs::write(SWITCH, before).context("setting the switch of huge pages back")?;
    made.map(Some)
}

/// The word in brackets: what a switch of the kernel is at.
fn chosen(switch: &str) -> Option<&str> {
    Some(switch.split_once('[')?.1.split_once(']')?.0)
}

fn ram() -> Result<GuestRam> {
    Ok(GuestRam::new(&[Span::from_len(0, LARGE).context("no memory to map")?])?)
}

fn touched(ram: &GuestRam, stride: u64) -> Result<HostMemory> {
    for page in pages(stride) {
        ram.mem.write_obj(page, GuestAddress(page * PAGE)).context("touching the memory to map")?;
    }
    Ok(HostMemory::of_ram(ram).pop().context("no memory to map")?.1)
}

/// All pages, so many apart.
fn pages(stride: u64) -> impl Iterator<Item = u64> {
    const PAGES: u64 = LARGE / PAGE;
    (0..PAGES).map(move |n| n * stride % PAGES)
}

/// KiB of memory files that are mapped in huge pages.
fn huge_kib(smaps: &str) -> u64 {
    let sizes = smaps.lines().filter_map(|line| line.strip_prefix("ShmemPmdMapped:"));
    sizes.filter_map(|size| size.trim().trim_end_matches(" kB").parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests;
