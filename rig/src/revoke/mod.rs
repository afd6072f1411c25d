//! `rig revoke`: in a guest, memory is taken from a disk behind the virtio-iommu while the disk uses it.
//!
//! Once UNMAP is answered the memory belongs to its owner again: whatever the disk still does, no byte of it changes, requests
//! to it fail, and the event queue says who wanted to do what and where. Needs a disk that may be overwritten.

mod disk;
mod report;
mod step;

use anyhow::{Context, Result, ensure};

use crate::hostile::driver::{AREA, Driver};
use crate::random::Random;
use disk::Disk;
use step::Step;

/// Where the disk finds its ring, and its data: apart from each other and from the memory's own addresses.
const RING: u64 = 0x40_0000_0000;
const DATA: u64 = 0x41_0000_0000;
/// The domain that the disk is in.
const DOMAIN: u32 = 3;
/// Buffers for reports that the device holds.
const REPORTS: usize = 64;

/// Runs all of it.
pub fn run(rounds: u64, seed: u64) -> Result<String> {
    let mut driver = Driver::open()?;
    let (ring, data) = ((driver.base + 2 * AREA, AREA), (driver.base + 3 * AREA, AREA));
    let disk = Disk::open(&driver.ram, ring, RING - ring.0)?;
    let known = driver.oracle.endpoints.iter().any(|endpoint| endpoint.id == disk.endpoint);
    ensure!(known, "the disk is not behind the virtio-iommu");
    driver.start()?;
    driver.lend(REPORTS)?;
    println!("endpoint {:#x}, {} KiB of memory to take away", disk.endpoint, data.1 >> 10);
    let mut step = Step::new(driver, disk, data)?;
    step.whole().context("with everything mapped")?;
    let mut random = Random::new(seed);
    let (mut in_flight, mut refused) = (0, 0);
    for round in 0..rounds {
        let done = step.under_io(&mut random).with_context(|| format!("round {round}"))?;
        in_flight += u64::from(done.before > 0 && done.after > 0);
        refused += done.after;
    }
    ensure!(in_flight > 0, "memory was never taken away while the disk used it");
    println!("{in_flight} of {rounds} times requests went on, {refused} requests were refused");
    step.read_only().context("memory that the disk may only read")?;
    step.write_only().context("memory that the disk may only write")?;
    step.without_ring().context("a ring taken away")?;
    Ok(format!("revoke: {rounds} rounds, {in_flight} in flight, {refused} refused, {} reports", step.reports))
}
