//! Random requests, many in the ring at a time.

use std::fmt;
use std::ops::RangeInclusive;

use anyhow::{Context, Result};
use suites::Random;
use suites::chains::bytes;
use virtio_iommu_spec::{Request, TAIL_SIZE};

use super::driver::{Asked, Driver};
use super::memory;

/// Requests in the ring at most.
const BATCH: u64 = 120;
/// Bytes of the pieces that a request and its answer come in.
const READ_PIECES: RangeInclusive<u64> = 1..=40;
const WRITE_PIECES: RangeInclusive<u64> = 8..=207;
/// Requests from one line of progress to the next.
const STEP: u64 = 10_000;
/// Batches between two under `bypass`, and requests in one: while it is on, each endpoint that leaves its domain has all of
/// RAM pinned.
const BYPASS_EVERY: u64 = 199;
const BYPASS_BATCH: u64 = 8;
/// ATTACHes between two that ask for a bypassed domain, which has the same effect.
const ATTACH_BYPASS: u64 = 300;

/// What was asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    requests: u64,
    good: u64,
    unwritten: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { requests, good, unwritten } = self;
        write!(
            f,
            "{requests} random requests: {good} OK, {} refused, {unwritten} unwritten",
            requests - good - unwritten
        )
    }
}

/// Sends `count` requests of `seed`.
pub fn run(driver: &mut Driver, seed: u64, count: u64) -> Result<Tally> {
    let mut random = Random::new(seed);
    let mut tally = Tally::default();
    let mut batches = 0;
    while tally.requests < count {
        let bypass = batches % BYPASS_EVERY == BYPASS_EVERY - 1;
        if bypass {
            driver.transport.set_bypass(true)?;
        }
        let most = if bypass { BYPASS_BATCH } else { BATCH };
        let size = (1 + random.below(most)).min(count - tally.requests);
        driver.requests.rewind();
        let asked = batch(driver, &mut random, size);
        let steps = tally.requests / STEP;
        tally.requests += asked.len() as u64;
        if tally.requests / STEP > steps {
            println!("{} random requests", tally.requests);
        }
        tally.good += asked.iter().filter(|asked| asked.is_good()).count() as u64;
        tally.unwritten += asked.iter().filter(|asked| asked.is_nothing()).count() as u64;
        driver.finish(asked).with_context(|| format!("seed {seed}, after {} requests", tally.requests))?;
        batches += 1;
        if bypass {
            driver.transport.set_bypass(false)?;
        }
    }
    Ok(tally)
}

/// So many requests, or as many as the ring surely has room for.
fn batch(driver: &mut Driver, random: &mut Random, size: u64) -> Vec<Asked> {
    let longest = driver.longest_chain(*READ_PIECES.start() as usize, *WRITE_PIECES.start() as usize);
    let mut asked = Vec::new();
    while (asked.len() as u64) < size && driver.requests.room() >= longest {
        asked.push(ask(driver, random));
    }
    asked
}

fn ask(driver: &mut Driver, random: &mut Random) -> Asked {
    let request = request(driver, random);
    match random.below(16) {
        0 => {
            let all = bytes(&request);
            let cut = random.below(all.len() as u64 - 1) as usize + 1;
            driver.ask_nothing(&all[..cut], TAIL_SIZE as u32)
        }
        1 => driver.ask_nothing(&bytes(&request), random.below(TAIL_SIZE as u64) as u32),
        2 => {
            let pieces = (within(random, READ_PIECES) as usize, within(random, WRITE_PIECES) as u32);
            driver.ask_in_pieces(&request, pieces)
        }
        _ => driver.ask(&request),
    }
}

fn request(driver: &Driver, random: &mut Random) -> Request {
    let domain = random.pick(&[0, 1, 1, 1, 1, 2, u32::MAX]);
    let endpoint = endpoint(driver, random);
    match random.below(32) {
        0..4 => {
            let flags = if random.once_in(ATTACH_BYPASS) { 1 } else { rarely(random, 30) };
            Request::Attach { domain, endpoint, flags, reserved: rarely(random, 30) }
        }
        4 => Request::Detach { domain, endpoint },
        5 => Request::Probe { endpoint },
        6..14 => {
            let (virt_start, virt_end) =
                if random.once_in(12) { (0, u64::MAX) } else { range(driver, random) };
            Request::Unmap { domain, virt_start, virt_end, reserved: rarely(random, 40) }
        }
        _ => {
            let (virt_start, virt_end) = range(driver, random);
            let flags = random.pick(&[3, 3, 3, 1, 2, 0]) | rarely(random, 40);
            Request::Map { domain, virt_start, virt_end, phys_start: target(driver, random), flags }
        }
    }
}

fn within(random: &mut Random, range: RangeInclusive<u64>) -> u64 {
    range.start() + random.below(range.end() - range.start() + 1)
}

/// Zero, or now and then a bit.
fn rarely(random: &mut Random, one_in: u64) -> u32 {
    if random.once_in(one_in) { 1 << random.below(32) } else { 0 }
}

fn endpoint(driver: &Driver, random: &mut Random) -> u32 {
    let known = &driver.oracle.endpoints;
    let at = random.below(known.len() as u64 * 8 + 1) as usize;
    known.get(at / 8).map_or(0xfff8, |endpoint| endpoint.id)
}

/// Memory of ours, three pages before its end at most; rarely none, or not on a page.
fn target(driver: &Driver, random: &mut Random) -> u64 {
    let page = driver.oracle.granule;
    let ours = driver.base + page * random.below(memory::BYTES / page - 3);
    match random.below(40) {
        0 => ours + 8,
        1 => random.pick(&[1 << 50, u64::MAX - page + 1, (1 << 63) + page]),
        _ => ours,
    }
}

/// One to three pages near a place where something ends; now and then crooked.
fn range(driver: &Driver, random: &mut Random) -> (u64, u64) {
    let oracle = &driver.oracle;
    let page = oracle.granule;
    let window = oracle.endpoints.first().and_then(|endpoint| endpoint.reserved.first()).copied();
    let (first, last) = window.unwrap_or((1 << 30, (1 << 30) - 1));
    let end = random.pick(&[
        0,
        0,
        0,
        1 << 32,
        oracle.input.1.wrapping_add(1),
        first,
        last + 1,
        0u64.wrapping_sub(page),
    ]);
    let offset = random.below(16).wrapping_sub(if end == 0 { 0 } else { 8 }).wrapping_mul(page);
    let start = end.wrapping_add(offset);
    let stop = start.wrapping_add(page * (1 + random.below(3)) - 1);
    match random.below(48) {
        0 => (start.wrapping_add(1 << random.below(12)), stop),
        1 => (start, stop.wrapping_sub(1 << random.below(12))),
        2 => (stop, start),
        _ => (start, stop),
    }
}
