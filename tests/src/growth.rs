//! Requests that each try to make the device grow: domains, mappings, events. Every cap is hit and answered NOMEM, and the
//! process stays as small as the caps allow, however often it is tried.

use std::fmt;
use std::sync::Arc;

use data_model::Span;
use devices::virtio::VirtioDevice;
use iommu_domain::{EndpointSpec, Iommu, IommuConfig, Leg, Mapping, Perm, SoftLeg};
use virtio_iommu_spec::{MAX_REQUEST_SIZE, Request, Status, encode};

use crate::Failure;
use crate::world::{FEATURES, Memory, PAGE, Rules, World, span};

/// Mappings in a domain at most, as in the product.
const CAP: usize = iommu_domain::limits::MAX_MAPPINGS;
/// Mappings that a container of the kernel takes.
const ENTRIES: u32 = 65_535;
/// Bytes that a mapping may cost: its entry in the table, and the tree around it.
const PER_MAPPING: u64 = 96;

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// Requests.
    pub requests: u64,
    /// Answers NOMEM.
    pub refused: u64,
    /// Resident bytes of a live mapping of an emulated endpoint: its entry in the domain's table and in the endpoint's.
    pub each: u64,
    /// Resident bytes before, at most, and after everything was taken away, of each round.
    pub rounds: Vec<[u64; 3]>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "growth: {} requests, {} answered NOMEM; resident MiB before, full, emptied:",
            self.requests, self.refused
        )?;
        for round in &self.rounds {
            let [before, full, after] = round.map(|bytes| bytes >> 20);
            write!(f, " {before}/{full}/{after}")?;
        }
        write!(f, "; {} bytes for a live mapping", self.each)?;
        Ok(())
    }
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

/// `rounds` times: `CAP` mappings and more into a domain of an emulated endpoint, `ENTRIES` and more into one with a
/// container, 100,000 domains.
pub fn run(rounds: usize) -> Result<Report, Failure> {
    let rules =
        Rules { entries: ENTRIES, max_domains: 3, max_mappings: CAP, emulated: true, ..Rules::plain() };
    let mut world = World::new(&rules, &Memory::new());
    let mut report = Report { requests: 0, refused: 0, each: each_mapping()?, rounds: Vec::new() };
    for _ in 0..rounds {
        world.device.negotiate(FEATURES);
        let before = resident();
        fill(&world, &mut report)?;
        let full = resident();
        world.device.reset();
        let after = resident();
        report.rounds.push([before, full, after]);
        let allowed = (CAP as u64 + 2 * u64::from(ENTRIES)) * PER_MAPPING + (16 << 20);
        if full.saturating_sub(report.rounds[0][0]) > allowed {
            return Err(Failure(format!("{report}: more than {} MiB were to be", allowed >> 20)));
        }
    }
    Ok(report)
}

/// Maps `CAP` pages for an emulated endpoint that has a table of its own.
fn each_mapping() -> Result<u64, Failure> {
    let leg: Box<dyn Leg> = Box::new(SoftLeg::new("emulated".into(), Arc::default()));
    let endpoint = EndpointSpec { id: 8, leg: Some(0), reserved: Vec::new() };
    let config = IommuConfig::new(PAGE, Span::ALL, false);
    let mut iommu = Iommu::new(config, Memory::new().phys(), vec![leg], vec![endpoint]);
    iommu.attach(8, 1, false).map_err(|refusal| Failure(refusal.to_string()))?;
    let before = resident();
    for n in 0..CAP as u64 {
        let iova = span((2 * n * PAGE, 2 * n * PAGE + (PAGE - 1)));
        let mapping = Mapping { iova, phys: 0, perm: Perm::READ_WRITE };
        iommu.map(1, mapping).map_err(|refusal| Failure(refusal.to_string()))?;
    }
    let each = resident().saturating_sub(before) / CAP as u64;
    match each {
        0 => Err(Failure("mappings that take no memory".into())),
        1..=PER_MAPPING => Ok(each),
        _ => Err(Failure(format!("{each} bytes for a live mapping, {PER_MAPPING} at most were to be"))),
    }
}

fn fill(world: &World, report: &mut Report) -> Result<(), Failure> {
    let mut send = |request: Request| {
        let mut bytes = [0; MAX_REQUEST_SIZE];
        let len = encode(&request, &mut bytes);
        let status = world.device.serve(&bytes[..len]);
        report.requests += 1;
        report.refused += u64::from(status == Some(Status::NoMem));
        status
    };
    let attach = |domain, endpoint| Request::Attach { domain, endpoint, flags: 0, reserved: 0 };
    expect(send(attach(1, 24)), Status::Ok, "attach")?;
    expect(send(attach(2, 16)), Status::Ok, "attach")?;
    for (domain, room) in [(1, CAP as u64), (2, u64::from(ENTRIES))] {
        for n in 0..room + 60_000 {
            // Every second page, so that nothing could be merged; above all reserved regions.
            let virt_start = (1 << 33) + n * 2 * PAGE;
            let map =
                Request::Map { domain, virt_start, virt_end: virt_start + 0xfff, phys_start: 0, flags: 3 };
            let expected = if n < room { Status::Ok } else { Status::NoMem };
            expect(send(map), expected, "map")?;
        }
    }
    for domain in 0..100_000 {
        // The third domain; each request gives up the one before.
        expect(
            send(attach(domain + 10, 8)),
            if domain == 0 { Status::Ok } else { Status::NoMem },
            "a domain too many",
        )?;
    }
    let domains = world.device.with_iommu(|iommu| iommu.report().domains.len());
    if domains != 3 { Err(Failure(format!("{domains} domains live"))) } else { Ok(()) }
}

fn expect(answer: Option<Status>, expected: Status, what: &str) -> Result<(), Failure> {
    if answer == Some(expected) {
        return Ok(());
    }
    Err(Failure(format!("{what}: answered {answer:?}, not {expected:?}")))
}
