//! What a driver does to the ring and the registers: chains that make no sense, resets while the device works, rings that
//! lie nowhere. The device answers, gives back, or says that it needs a reset; after one it works again.

use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use devices::virtio::testkit::Used;
use suites::Random;
use suites::chains::{Ground, Shape, build};
use virtio_iommu_spec::{Request, Status};

use super::cases::{TAKEN, page_four};
use super::driver::{Driver, PATIENCE, place};
use super::memory;
use super::transport::{NEEDS_RESET, Place};

/// Requests in a batch that a reset interrupts: two descriptors each.
const BATCH: u64 = 120;

/// What came of the malformed chains.
#[derive(Default)]
pub struct Chains {
    pub cases: u64,
    pub unwritten: u64,
    pub answered: u64,
    pub needs_reset: u64,
}

/// `rounds` times each shape of a malformed chain, each on a device just set up.
pub fn chains(driver: &mut Driver, seed: u64, rounds: u64) -> Result<Chains> {
    let mut chains = Chains::default();
    for round in 0..rounds {
        for shape in Shape::ALL {
            let mut random = Random::new(seed.wrapping_add(round));
            chain(driver, shape, &mut random, &mut chains)
                .with_context(|| format!("{shape:?}, seed {}", seed.wrapping_add(round)))?;
        }
        println!("{} malformed chains", chains.cases);
    }
    Ok(chains)
}

fn chain(driver: &mut Driver, shape: Shape, random: &mut Random, chains: &mut Chains) -> Result<()> {
    driver.start()?;
    let endpoint = driver.oracle.endpoints.first().context("no endpoint")?.id;
    driver.settle(&Request::Attach { domain: 1, endpoint, flags: 0, reserved: 0 })?;
    let (mem, page) = (driver.ram.mem.clone(), driver.base);
    let outside = [1 << 50, (1 << 50) + 0xfff, u64::MAX, u64::MAX - 3, 1 << 63];
    let ground = Ground { mem: &mem, outside: &outside, page };
    let made = build(shape, random, &ground, &mut driver.requests);
    driver.transport.notify(0)?;
    chains.cases += 1;
    let mut answered = false;
    for _ in 0..if shape == Shape::Twice { 2 } else { 1 } {
        let Some(used) = used_or_reset(driver)? else {
            chains.needs_reset += 1;
            return driver.start();
        };
        ensure!(u64::from(used.len) <= made.writable, "used length {} of {}", used.len, made.writable);
        answered |= used.len > 0;
    }
    *(if answered { &mut chains.answered } else { &mut chains.unwritten }) += 1;
    harm(driver, made.is_request && answered)
}

/// The next chain that comes back; `None` when the device asks for a reset.
fn used_or_reset(driver: &mut Driver) -> Result<Option<Used>> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let used = driver.requests.poll();
        if used.is_some() || driver.transport.status()? & NEEDS_RESET != 0 {
            return Ok(used);
        }
    }
    bail!("neither a used buffer nor NEEDS_RESET")
}

/// The page is mapped only if the chain was answered and could be taken for the request.
fn harm(driver: &mut Driver, may_be_mapped: bool) -> Result<()> {
    let wish = page_four(driver);
    let mut books = driver.oracle.clone();
    ensure!(books.answer(&wish) == Status::Ok, "the books have the page already");
    let asked = driver.ask(&wish);
    let answer = driver.answer_of(asked)?;
    match answer {
        Some(Status::Ok) => Ok(()),
        Some(status) if status == TAKEN && may_be_mapped => Ok(()),
        answer => {
            bail!("the page was asked for again and answered {answer:?}; may be mapped: {may_be_mapped}")
        }
    }
}

/// Resets the device `rounds` times while it serves a full ring; its memory is left alone from then on.
pub fn resets(driver: &mut Driver, seed: u64, rounds: u64) -> Result<u64> {
    let mut random = Random::new(seed);
    let mut served = 0;
    for _ in 0..rounds {
        driver.start()?;
        let endpoint = driver.oracle.endpoints.first().context("no endpoint")?.id;
        driver.settle(&Request::Attach { domain: 1, endpoint, flags: 0, reserved: 0 })?;
        let (page, phys_start) = (driver.oracle.granule, driver.base);
        for at in 0..BATCH {
            let (virt_start, virt_end) = (at * page, (at + 1) * page - 1);
            drop(driver.ask(&Request::Map { domain: 1, virt_start, virt_end, phys_start, flags: 3 }));
        }
        driver.transport.notify(0)?;
        for _ in 0..random.below(20_000) {
            std::hint::spin_loop();
        }
        driver.transport.reset()?;
        let before = std::iter::from_fn(|| driver.requests.poll()).count() as u64;
        for _ in 0..20_000 {
            std::hint::spin_loop();
        }
        ensure!(driver.requests.poll().is_none(), "the device went on after its reset");
        served += before;
    }
    driver.start()?;
    Ok(served)
}

/// Places for the ring where no ring can be; the device says so, and works after a reset.
pub fn places(driver: &mut Driver) -> Result<usize> {
    let good = place(&driver.requests);
    let nowhere = [1 << 50, !0xfff, 1 << 63];
    let mut bad = vec![
        Place { desc: good.desc + 8, ..good },
        Place { avail: good.avail + 1, ..good },
        Place { used: good.used + 2, ..good },
    ];
    for at in nowhere {
        bad.extend([
            Place { desc: at, ..good },
            Place { avail: at, ..good },
            Place { used: at, ..good },
            Place { desc: at, avail: at, used: at },
        ]);
    }
    let cases: Vec<(Option<Place>, bool)> =
        bad.into_iter().map(|place| (Some(place), true)).chain([(None, true), (Some(good), false)]).collect();
    let endpoint = driver.oracle.endpoints.first().context("no endpoint")?.id;
    for (place, features_ok) in &cases {
        let status = driver.start_at(*place, *features_ok)?;
        ensure!(
            status & NEEDS_RESET != 0,
            "a ring at {place:x?}, features confirmed: {features_ok}: status {status:#x} does not ask for a reset"
        );
        driver.start()?;
        driver.settle(&Request::Probe { endpoint })?;
    }
    Ok(cases.len())
}

/// Mappings that stay for others to look at: `count` pages in one domain with every endpoint in it.
pub fn leave(driver: &mut Driver, count: u64) -> Result<usize> {
    driver.start()?;
    let ids: Vec<u32> = driver.oracle.endpoints.iter().map(|endpoint| endpoint.id).collect();
    for endpoint in ids {
        driver.settle(&Request::Attach { domain: 1, endpoint, flags: 0, reserved: 0 })?;
    }
    let page = driver.oracle.granule;
    for at in 0..count.min(memory::BYTES / page) {
        let (virt_start, virt_end) = (2 * at * page, (2 * at + 1) * page - 1);
        let phys_start = driver.base + at * page;
        driver.settle(&Request::Map { domain: 1, virt_start, virt_end, phys_start, flags: 3 })?;
    }
    Ok(driver.oracle.mappings())
}
