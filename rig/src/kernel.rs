//! The kernel's side: a container with the group of one device, and what the kernel says of it.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use base::{GuestRam, HostMemory, Memlock};
use data_model::Span;
use iommu_domain::Perm;
use iommu_domain::mixed::model::Type1Model;
use iommu_domain::mixed::{MapRequest, Target};
use vfio::{Container, Group};

use crate::diff::Diff;
use crate::host::group_of;
use crate::raw::KernelTrace;
use crate::trace::Trace;

/// Bytes to map from.
const MEMORY: u64 = 4 << 20;
/// Bytes that may have to be locked: each mapping counts on its own.
const LOCKED: u64 = 4 << 30;
/// Mappings that type1 takes unless told otherwise.
const ENTRIES: u32 = 65_535;
/// Requests from one line of progress to the next.
const STEP: u64 = 50_000;

/// Puts `ops` requests of `seed` to the container of `device` and to its model.
pub fn compare(device: &str, ops: u64, seed: u64) -> Result<String> {
    base::raise_memlock(LOCKED)?;
    let number = group_of(device)?;
    let container = Arc::new(Container::open()?);
    let group = Group::open(number)?;
    group.attach(&container)?;
    container.set_iommu_type1v2()?;
    let ram = Span::from_len(0, MEMORY).context("no memory to map")?;
    let ram = GuestRam::new(&[ram])?;
    let (_, memory) = HostMemory::of_ram(&ram).pop().context("no memory to map")?;
    let model = describe(&container)?;
    println!("group {number}, granule {:#x}, {} mappings, seed {seed}", model.granule, model.entries);
    for range in &model.allowed {
        println!("may be mapped: {range}");
    }
    let host = KernelTrace::new(container.clone(), memory);
    host.check_sizes(&first_page(&model)?)?;
    let available = || container.info().ok()?.dma_avail;
    let mut diff = Diff::new(&model, host, &available)?;
    let start = Instant::now();
    let progress = |asked: u64| {
        if asked.is_multiple_of(STEP) || asked == ops {
            let rate = asked as f64 / start.elapsed().as_secs_f64().max(0.001);
            println!("{asked} operations, {rate:.0} a second");
        }
    };
    let told = diff.run(Trace::new(&model, seed, ops), ops, progress);
    let tally = told.with_context(|| format!("seed {seed}"))?;
    let (arch, rate) = (std::env::consts::ARCH, ops as f64 / start.elapsed().as_secs_f64().max(0.001));
    Ok(format!("kernel {arch}: {ops} operations, 0 differences, {rate:.0} a second; {tally}"))
}

/// The lowest page that may be mapped, as a request.
fn first_page(model: &Type1Model) -> Result<MapRequest> {
    let first = model.allowed.first().context("the kernel lets nothing be mapped")?;
    let target = Target::Ram { backing: 0, offset: 0 };
    Ok(MapRequest::new(first.start(), model.granule, target, Perm::READ_WRITE))
}

/// What GET_INFO says of an empty container.
fn describe(container: &Container) -> Result<Type1Model> {
    let info = container.info().context("reading the facts of the container")?;
    let allowed = info.iova_ranges.context("the kernel names no ranges that may be mapped")?;
    ensure!(!allowed.is_empty(), "the kernel lets nothing be mapped");
    let lock_limit = match base::memlock_limit() {
        Memlock::Unlimited => None,
        Memlock::Bytes(bytes) => Some(bytes),
    };
    Ok(Type1Model {
        granule: info.page_sizes.granule(),
        allowed,
        entries: info.dma_avail.unwrap_or(ENTRIES),
        memory: MEMORY,
        lock_limit,
    })
}
