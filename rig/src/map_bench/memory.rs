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
    // A kernel without the file has no huge pages to keep out.
    drop(fs::write(SWITCH, "never"));
    touched(&ram()?, STRIDE)
}

/// In pages of 2 MiB; `None` when not all of it came in such pages.
pub fn huge() -> Result<Option<HostMemory>> {
    if fs::write(SWITCH, "advise").is_err() {
        return Ok(None);
    }
    let ram = ram()?;
    ram.advise_huge_pages().context("asking for huge pages")?;
    let memory = touched(&ram, 1)?;
    let maps = fs::read_to_string("/proc/self/smaps").context("reading /proc/self/smaps")?;
    Ok((huge_kib(&maps) * 1024 >= LARGE).then_some(memory))
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
