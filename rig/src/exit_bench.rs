//! In a guest: what an access costs that the monitor answers in the exit of the processor that made it.
//!
//! A device that were served in that exit would pay it for each request, so it is what a kick that wakes a thread, or a thread
//! that looks by itself, has to be compared with.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::statistics::Percentiles;

/// What any monitor answers at once, without a device behind it: the port of the firmware's progress codes where there are
/// ports (file, offset, bytes), else the identity of the host bridge.
const PLACE: (&str, u64, usize) = if cfg!(target_arch = "x86_64") {
    ("/dev/port", 0x80, 1)
} else {
    ("/sys/bus/pci/devices/0000:00:00.0/config", 0, 4)
};

/// All that was measured.
#[derive(Serialize)]
pub struct Exits {
    /// One access, one entry for each run.
    pub access: Vec<Percentiles>,
}

/// Makes such accesses for `window` in each of `runs` runs.
pub fn measure(runs: usize, window: Duration) -> Result<Exits> {
    let (path, offset, len) = PLACE;
    let file = File::open(path).with_context(|| format!("opening {path}"))?;
    let mut bytes = [0; 4];
    let mut run = || {
        let (mut samples, begin) = (Vec::new(), Instant::now());
        while begin.elapsed() < window {
            let start = Instant::now();
            file.read_exact_at(&mut bytes[..len], offset).with_context(|| format!("reading {path}"))?;
            samples.push(start.elapsed());
        }
        Ok(Percentiles::of(samples))
    };
    run()?; // warms up
    Ok(Exits { access: (0..runs).map(|_| run()).collect::<Result<_>>()? })
}
