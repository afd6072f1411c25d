//! Direct reads of 4 KiB from a block device, one after the other: each maps and unmaps one buffer on the way.

use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::statistics::Percentiles;

const BLOCK: usize = 4096;
/// Reads walk over this much of the device.
const AREA: u64 = 16 << 20;
/// Reads that come first and do not count: who polls by what he has seen takes a second or two to settle.
const WARM_UP: Duration = Duration::from_secs(3);

/// All that was measured.
#[derive(Serialize)]
pub struct Reads {
    /// Reads in a second, one entry for each run.
    pub per_second: Vec<f64>,
    /// One read, one entry for each run.
    pub latency: Vec<Percentiles>,
}

/// Reads `path` for `window` in each of `runs` runs, after a time that warms up.
pub fn measure(path: &str, runs: usize, window: Duration) -> Result<Reads> {
    let direct = rustix::fs::OFlags::DIRECT.bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(direct).open(path);
    let file = file.with_context(|| format!("opening {path} for direct reads"))?;
    // Direct reads want an aligned buffer: take the aligned part of one twice as long.
    let mut memory = vec![1u8; 2 * BLOCK];
    let start = memory.as_ptr().align_offset(BLOCK);
    let Some(buffer) = memory.get_mut(start..start + BLOCK) else { bail!("no aligned buffer") };
    let mut reads = Reads { per_second: Vec::new(), latency: Vec::new() };
    let mut at = 0;
    for run in 0..=runs {
        let window = if run == 0 { WARM_UP } else { window };
        let mut samples = Vec::new();
        let begin = Instant::now();
        while begin.elapsed() < window {
            let start = Instant::now();
            file.read_exact_at(buffer, at).with_context(|| format!("reading {path} at {at:#x}"))?;
            samples.push(start.elapsed());
            at = (at + BLOCK as u64) % AREA;
        }
        if run > 0 {
            reads.per_second.push(samples.len() as f64 / begin.elapsed().as_secs_f64());
            reads.latency.push(Percentiles::of(samples));
        }
    }
    Ok(reads)
}
