//! Malformed chains through the real queue: split, with tables of their own, short, long, looping, out of memory, in the wrong
//! order, with rings that lie. Each ends in a used buffer or in NEEDS_RESET within a second, the device stops within a second, and
//! nothing that was not asked for has happened.

mod shape;

use std::fmt;
use std::time::{Duration, Instant};

use devices::virtio::testkit::{Bench, SECOND, ram};
use devices::virtio::{F_EVENT_IDX, VirtioDevice};
use virtio_iommu_spec::{MAX_REQUEST_SIZE, Request, encode};

use crate::world::{FEATURES, Memory, PAGE, Rules, World};
use crate::{Failure, Random};
pub use shape::{Ground, Made, Shape, build};

/// What came of the cases.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Cases.
    pub cases: u64,
    /// Chains that came back unwritten.
    pub unwritten: u64,
    /// Chains that came back with an answer: what was wrong did no harm.
    pub answered: u64,
    /// Rings after which the device needed a reset.
    pub needs_reset: u64,
    /// The longest time to an end, and to a stop.
    pub slowest: [Duration; 2],
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "chains: {} malformed, {} given back unwritten, {} answered, {} ended in NEEDS_RESET; slowest end {:.1} ms, slowest stop {:.1} ms",
            self.cases,
            self.unwritten,
            self.answered,
            self.needs_reset,
            self.slowest[0].as_secs_f64() * 1e3,
            self.slowest[1].as_secs_f64() * 1e3
        )
    }
}

/// Bytes of guest memory in these tests.
const MEMORY: u64 = 1 << 20;
const OUTSIDE: [u64; 7] = [MEMORY, MEMORY - 1, MEMORY - 3, 1 << 40, u64::MAX, u64::MAX - 3, 1 << 63];

/// Runs `cases` cases from `seed` on.
pub fn run(seed: u64, cases: u64) -> Result<Report, Failure> {
    let memory = Memory::new();
    let mut report = Report::default();
    for number in 0..cases {
        let mut random = Random::new(seed.wrapping_add(number));
        // Every shape gets its share.
        let shape = Shape::ALL[(number % Shape::ALL.len() as u64) as usize];
        one(shape, &mut random, &memory, &mut report)
            .map_err(|what| Failure(format!("{shape:?}, seed {}: {what}", seed.wrapping_add(number))))?;
    }
    Ok(report)
}

/// The bytes of a request.
pub fn bytes(request: &Request) -> Vec<u8> {
    let mut buffer = [0; MAX_REQUEST_SIZE];
    let len = encode(request, &mut buffer);
    buffer[..len].to_vec()
}

fn one(shape: Shape, random: &mut Random, memory: &Memory, report: &mut Report) -> Result<(), String> {
    let mut world = World::new(&Rules::plain(), memory);
    let mut features = FEATURES;
    if random.once_in(2) {
        features |= F_EVENT_IDX;
    }
    let mut bench = Bench::new(ram(MEMORY), &world.device, features);
    world.device.activate(bench.activation()).map_err(|error| error.to_string())?;
    let attach = bytes(&Request::Attach { domain: 1, endpoint: 8, flags: 0, reserved: 0 });
    let first = bench.queues[0].request(&attach, 4).ok_or("no answer to a good request")?;
    if first.bytes != [0; 4] {
        return Err(format!("a good request was answered {:?}", first.bytes));
    }
    let ground = Ground { mem: &bench.mem, outside: &OUTSIDE, page: 0 };
    let made = build(shape, random, &ground, &mut bench.queues[0]);
    let begun = Instant::now();
    bench.queues[0].kick();
    let used = loop {
        if let Some(used) = bench.queues[0].poll() {
            break Some(used);
        }
        if bench.interrupt.asked_for_reset() {
            break None;
        }
        if begun.elapsed() > SECOND {
            return Err("neither a used buffer nor NEEDS_RESET within a second".into());
        }
        std::thread::yield_now();
    };
    report.slowest[0] = report.slowest[0].max(begun.elapsed());
    report.cases += 1;
    match used {
        None => report.needs_reset += 1,
        Some(used) if used.len == 0 => report.unwritten += 1,
        Some(used) if u64::from(used.len) > made.writable => {
            return Err(format!("used length {} of {} writable bytes", used.len, made.writable));
        }
        Some(_) => report.answered += 1,
    }
    check_harm(&world, made.is_request, used.is_some_and(|used| used.len > 0))?;
    let begun = Instant::now();
    world.device.reset();
    let stop = begun.elapsed();
    report.slowest[1] = report.slowest[1].max(stop);
    if stop > SECOND {
        return Err(format!("the device took {stop:?} to stop"));
    }
    match world.hosts.iter().all(|host| host.mappings().is_empty()) {
        true => Ok(()),
        false => Err("mappings are left after the reset".into()),
    }
}

/// A chain carries out its request or nothing: the good request mapped a page, what was no request nothing.
fn check_harm(world: &World, is_request: bool, answered: bool) -> Result<(), String> {
    let mapped = world.hosts[0].mappings();
    let page = mapped.len() == 1 && mapped[0].0.start() == 4 * PAGE;
    match (mapped.is_empty(), is_request && answered && page) {
        (true, _) | (false, true) => Ok(()),
        _ => Err(format!("mapped {mapped:x?}, answered {answered}")),
    }
}
