//! What one mapping costs: a process that maps and unmaps through a type1 container, and how long each call takes.
//!
//! The same program runs on a host (the floor) and in a guest behind a virtual IOMMU. Invariants: all memory is touched
//! before the clock starts, so nobody pays for pages that nobody had; each figure is a list of runs, so that whoever
//! reads it can take a median and see the spread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use base::HostMemory;
use data_model::Span;
use serde::Serialize;
use vfio::{Container, DmaPerm, Group};

mod memory;
mod turns;

pub use turns::Turns;

use crate::host::group_of;
use crate::statistics::{Percentiles, median};

/// Bytes of a small mapping: the granule of every host there is.
const PAGE: u64 = 4096;
/// Bytes of the large mapping, and of each memory behind them.
const LARGE: u64 = 32 << 20;
/// Where the live mappings begin. It lies above guest RAM and any doorbell, and inside the narrowest input range (39 bits).
const LIVE: u64 = 0x10_0000_0000;
/// Where the measured mappings go: after the live ones.
const MEASURED: u64 = 0x20_0000_0000;
/// Bytes that may have to be locked: each mapping counts on its own.
const LOCKED: u64 = 4 << 30;

/// How much to measure.
pub struct Plan {
    /// Runs of each measurement.
    pub runs: usize,
    /// Small mappings of a run of the latency.
    pub samples: usize,
    /// How long a run of a rate takes at least.
    pub window: Duration,
    /// Mappings that are live while pairs are counted; rising.
    pub live: Vec<usize>,
}

/// All that was measured.
#[derive(Serialize)]
pub struct Figures {
    /// What looking at the clock costs, in ns; it is part of each latency.
    pub clock_ns: u64,
    /// One 4 KiB map, one entry for each run.
    pub map: Vec<Percentiles>,
    /// One 4 KiB unmap.
    pub unmap: Vec<Percentiles>,
    /// Map and unmap of 4 KiB, beside so many live mappings.
    pub pairs: Vec<Pairs>,
    /// Map and unmap of 32 MiB in pages of 4 KiB: how often in a second.
    pub large_per_second: Vec<f64>,
    /// The same in pages of 2 MiB; empty where the kernel gives none.
    pub huge_per_second: Vec<f64>,
}

/// Pairs of a map and an unmap.
#[derive(Serialize)]
pub struct Pairs {
    /// Mappings that were there all the while.
    pub live: usize,
    /// Pairs in a second, one entry for each run.
    pub per_second: Vec<f64>,
}

/// A container with one group, and memory to map.
struct Bench {
    container: Arc<Container>,
    memory: HostMemory,
    /// As much memory in huge pages.
    huge: Option<HostMemory>,
    live: u64,
    _group: Group,
}

/// Measures on the container of `device`. A turn is one run, or the filling before it, or the end.
pub fn measure(device: &str, plan: &Plan, turns: &Turns) -> Result<Figures> {
    let mut bench = Bench::new(device)?;
    let mut figures = Figures {
        clock_ns: clock_ns(),
        map: Vec::new(),
        unmap: Vec::new(),
        pairs: Vec::new(),
        large_per_second: Vec::new(),
        huge_per_second: Vec::new(),
    };
    bench.warm_up(plan)?;
    for _ in 0..plan.runs {
        bench.turn(turns, plan)?;
        let (map, unmap) = bench.latency(plan.samples)?;
        figures.map.push(map);
        figures.unmap.push(unmap);
        bench.turn(turns, plan)?;
        figures.large_per_second.push(bench.rate(plan.window, |bench| bench.pair(MEASURED, LARGE))?);
        if let Some(huge) = &bench.huge {
            bench.turn(turns, plan)?;
            figures
                .huge_per_second
                .push(bench.rate(plan.window, |bench| bench.pair_of(huge, MEASURED, LARGE))?);
        }
    }
    for &live in &plan.live {
        // So that the other one's last run does not have to wait until this is full, which may take minutes.
        turns.next()?;
        // The pair that is measured is one of them while it lives.
        bench.fill(live.saturating_sub(1))?;
        let per_second = (0..plan.runs).map(|_| bench.rate_of_pairs(turns, plan)).collect::<Result<_>>()?;
        figures.pairs.push(Pairs { live, per_second });
    }
    turns.next()?;
    bench.container.unmap_all().context("unmapping everything")?;
    Ok(figures)
}

/// Maps and unmaps `count` times.
pub fn pairs(device: &str, count: u64) -> Result<()> {
    let bench = Bench::new(device)?;
    (0..count).try_for_each(|_| bench.pair(MEASURED, PAGE))
}

impl Bench {
    fn new(device: &str) -> Result<Bench> {
        base::raise_memlock(LOCKED)?;
        let container = Arc::new(Container::open()?);
        let group = Group::open(group_of(device)?)?;
        group.attach(&container)?;
        container.set_iommu_type1v2()?;
        let memory = memory::small()?;
        let huge = memory::huge()?;
        Ok(Bench { container, memory, huge, live: 0, _group: group })
    }

    fn map(&self, iova: u64, offset: u64, len: u64) -> Result<()> {
        self.map_of(&self.memory, iova, offset, len)
    }

    fn map_of(&self, memory: &HostMemory, iova: u64, offset: u64, len: u64) -> Result<()> {
        let span = Span::from_len(iova, len).context("an empty mapping")?;
        let slice = memory.slice(offset, len).context("a mapping beyond the memory")?;
        let mapped = self.container.map_memory(span, slice, DmaPerm::READ_WRITE);
        mapped.with_context(|| format!("mapping {span}"))
    }

    fn unmap(&self, iova: u64, len: u64) -> Result<()> {
        let span = Span::from_len(iova, len).context("an empty mapping")?;
        self.container.unmap_dma(span).map(drop).with_context(|| format!("unmapping {span}"))
    }

    fn pair(&self, iova: u64, len: u64) -> Result<()> {
        self.pair_of(&self.memory, iova, len)
    }

    fn pair_of(&self, memory: &HostMemory, iova: u64, len: u64) -> Result<()> {
        self.map_of(memory, iova, 0, len)?;
        self.unmap(iova, len)
    }

    /// Waits for the next turn. Who had to wait finds caches cold, and a virtual IOMMU's thread asleep.
    fn turn(&self, turns: &Turns, plan: &Plan) -> Result<()> {
        if turns.next()? { self.warm_up(plan) } else { Ok(()) }
    }

    fn warm_up(&self, plan: &Plan) -> Result<()> {
        self.rate(plan.window / 4, |bench| bench.pair(MEASURED, PAGE)).map(drop)
    }

    fn rate_of_pairs(&self, turns: &Turns, plan: &Plan) -> Result<f64> {
        self.turn(turns, plan)?;
        self.rate(plan.window, |bench| bench.pair(MEASURED, PAGE))
    }

    /// Each call on its own.
    fn latency(&self, samples: usize) -> Result<(Percentiles, Percentiles)> {
        let (mut maps, mut unmaps) = (Vec::with_capacity(samples), Vec::with_capacity(samples));
        for sample in 0..samples as u64 {
            let start = Instant::now();
            self.map(MEASURED, sample * PAGE % LARGE, PAGE)?;
            let mapped = Instant::now();
            self.unmap(MEASURED, PAGE)?;
            unmaps.push(mapped.elapsed());
            maps.push(mapped - start);
        }
        Ok((Percentiles::of(maps), Percentiles::of(unmaps)))
    }

    /// How often in a second `work` can be done.
    fn rate(&self, window: Duration, work: impl Fn(&Bench) -> Result<()>) -> Result<f64> {
        let start = Instant::now();
        let (mut done, mut batch) = (0u32, 1);
        loop {
            // Looking at the clock may cost as much as a call: look now and then, but soon where a call takes long.
            for _ in 0..batch {
                work(self)?;
            }
            done += batch;
            batch = (2 * batch).min(8);
            let elapsed = start.elapsed();
            if elapsed >= window {
                return Ok(f64::from(done) / elapsed.as_secs_f64());
            }
        }
    }

    /// Maps pages until `count` are live.
    fn fill(&mut self, count: usize) -> Result<()> {
        while self.live < count as u64 {
            self.map(LIVE + self.live * PAGE, self.live * PAGE % LARGE, PAGE)?;
            self.live += 1;
        }
        Ok(())
    }
}

fn clock_ns() -> u64 {
    let costs = (0..1001).map(|_| Instant::now().elapsed().as_nanos() as u64);
    median(costs.collect()).unwrap_or_default()
}
