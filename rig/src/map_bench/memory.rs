//! The memory that is mapped, touched before any clock starts.

use std::fs;

use anyhow::{Context, Result};
use base::{GuestRam, HostMemory};
use data_model::Span;
use vm_memory::{Bytes, GuestAddress};

use super::{LARGE, PAGE};

/// Whether memory files may have huge pages: a kernel without the file has none.
const SWITCH: &str = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";

/// In pages of 4 KiB, wherever the kernel finds them.
pub fn small() -> Result<HostMemory> {
    touched(&ram()?)
}

/// In pages of 2 MiB; `None` when not all of it came in such pages.
pub fn huge() -> Result<Option<HostMemory>> {
    if fs::write(SWITCH, "advise").is_err() {
        return Ok(None);
    }
    let ram = ram()?;
    ram.advise_huge_pages().context("asking for huge pages")?;
    let memory = touched(&ram)?;
    let maps = fs::read_to_string("/proc/self/smaps").context("reading /proc/self/smaps")?;
    Ok((huge_kib(&maps) * 1024 >= LARGE).then_some(memory))
}

fn ram() -> Result<GuestRam> {
    Ok(GuestRam::new(&[Span::from_len(0, LARGE).context("no memory to map")?])?)
}

fn touched(ram: &GuestRam) -> Result<HostMemory> {
    for page in 0..LARGE / PAGE {
        ram.mem.write_obj(page, GuestAddress(page * PAGE)).context("touching the memory to map")?;
    }
    Ok(HostMemory::of_ram(ram).pop().context("no memory to map")?.1)
}

/// KiB of memory files that are mapped in huge pages.
fn huge_kib(smaps: &str) -> u64 {
    let sizes = smaps.lines().filter_map(|line| line.strip_prefix("ShmemPmdMapped:"));
    sizes.filter_map(|size| size.trim().trim_end_matches(" kB").parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests;
