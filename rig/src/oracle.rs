//! The oracle: a disk's DMA says whether an address is live, may be read only, or is dead, and a model says which it must be.
//!
//! The IOMMU is the product's own, with its own leg on a real container; only the virtio device in front of it is missing.
//! After each request some addresses are aimed at in both directions, and after each probe all memory must be as foreseen.

mod memory;
mod model;
mod probe;
mod script;
mod tally;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use base::{GuestRam, HostMemory};
use data_model::Span;
use iommu_domain::{EndpointSpec, Iommu, IommuConfig, Mapping, PhysMap, Type1Leg, VfioHost};
use vfio::AssignedDevice;

use crate::host::{Held, reserved_of};
use crate::nvme::{Failure, Nvme, PAGE, PAGES};
use crate::random::Random;
use memory::Memory;
use model::{Model, Op};
use probe::{Aim, Probe};
use script::{Ground, Script};
use tally::Tally;

/// Where guest memory begins; no reserved region of either architecture is near.
const RAM: u64 = 1 << 30;
/// Pages to map.
const DATA_PAGES: u64 = 32;
const ENDPOINT: u32 = 8;
/// Bytes that may have to be locked: each mapping counts on its own.
const LOCKED: u64 = 64 << 20;
/// Addresses that are aimed at after each request.
const PROBES: u64 = 8;
/// Requests that a failure names.
const TOLD: usize = 12;
/// Probes from one line of progress to the next.
const STEP: u64 = 1000;

/// Aims `probes` times at addresses of the disk at `address`, between requests of `seed`.
pub fn run(address: &str, probes: u64, seed: u64) -> Result<Tally> {
    base::raise_memlock(LOCKED)?;
    let held = Held::open(address)?;
    held.device.reset().context("resetting the disk's controller")?;
    let ground = ground(&held)?;
    let ram = Span::new(ground.queues.start(), ground.data.last()).context("no memory")?;
    let ram = GuestRam::new(&[ram])?;
    let holes: Vec<Span> = reserved_of(held.number)?.iter().map(|region| region.0).collect();
    println!("input {}, granule {:#x}, seed {seed}", ground.input, ground.granule);
    holes.iter().for_each(|hole| println!("reserved {hole}"));
    let model = Model::new(
        Span::new(ground.queues.start(), ground.data.last()).unwrap_or(ground.data),
        ground.input,
        holes.iter().map(|hole| hole.align_outwards(ground.granule)).collect(),
    );
    let iommu = iommu(&held, &ground, &ram, holes)?;
    let mut random = Random::new(seed);
    let mut nvme = Nvme::new(&held.device, &ram.mem, ground.queues.start(), false)?;
    nvme.stop()?;
    let memory = Memory::new(&ram.mem, ground.data, nvme.block, &mut random)?;
    let probe = Probe::new(nvme, memory);
    let script = Script::new(ground);
    let recent = VecDeque::new();
    let mut oracle = Oracle { iommu, model, probe, script, random, ground, recent, tally: Tally::default() };
    let ended = oracle.play(probes);
    let asked: Vec<String> = oracle.recent.iter().map(|op| format!("  {op:x?}\n")).collect();
    ended.with_context(|| format!("seed {seed}; the last requests were:\n{}", asked.concat()))?;
    Ok(oracle.tally)
}

/// Queues first, then memory to map, both on whole granules.
fn ground(held: &Held) -> Result<Ground> {
    let allowed = held.allowed()?;
    let granule = held.container.info()?.page_sizes.granule();
    ensure!(granule >= PAGE, "a granule of {granule:#x} is smaller than a page of the controller");
    let (first, last) = (allowed[0], allowed[allowed.len() - 1]);
    let queues = Span::from_len(RAM, (PAGES * PAGE).next_multiple_of(granule)).context("no queues")?;
    let data = Span::from_len(queues.last() + 1, DATA_PAGES * granule).context("no memory")?;
    let input = Span::new(first.start(), last.last()).context("nothing can be mapped")?;
    Ok(Ground { queues, data, input, granule })
}

fn iommu(held: &Held, ground: &Ground, ram: &GuestRam, reserved: Vec<Span>) -> Result<Iommu> {
    let phys = Arc::new(PhysMap::new(HostMemory::of_ram(ram))?);
    // Nothing fails here, so nothing is ever blocked by a reset.
    let host = VfioHost::new(held.container.clone(), Box::new(|| Ok(())));
    let leg = Type1Leg::new(format!("type1 group {}", held.number), host);
    let config = IommuConfig::new(ground.granule, ground.input, false);
    let endpoint = EndpointSpec { id: ENDPOINT, leg: Some(0), reserved };
    Ok(Iommu::new(config, phys, vec![Box::new(leg)], vec![endpoint]))
}

struct Oracle<'a> {
    iommu: Iommu,
    model: Model,
    probe: Probe<'a>,
    script: Script,
    random: Random,
    ground: Ground,
    recent: VecDeque<Op>,
    tally: Tally,
}

impl Oracle<'_> {
    fn play(&mut self, probes: u64) -> Result<()> {
        let begun = Instant::now();
        self.enter()?;
        self.probe.fill_disk(&mut self.random)?;
        let mut told = 0;
        while self.tally.probes() < probes {
            let op = self.script.next(&self.model, &mut self.random);
            self.request(op)?;
            self.aim()?;
            if self.tally.probes() / STEP > told {
                told = self.tally.probes() / STEP;
                println!("{} probes, {:.0} s", self.tally.probes(), begun.elapsed().as_secs_f64());
            }
        }
        // The end every run has: a reset, after which nothing is reached and the host holds nothing.
        self.request(Op::Bypass(false))?;
        self.request(Op::Reset)?;
        self.aim()?;
        ensure!(self.tally.ended(), "some kind of probe was never made: {}", self.tally);
        Ok(())
    }

    /// Into a domain where the device reaches its queues, and started.
    fn enter(&mut self) -> Result<()> {
        self.request(Op::Attach(1, false))?;
        self.request(self.script.queues())?;
        Ok(self.probe.start()?)
    }

    /// Carries a request out on both sides and compares the answers and the counts of mappings.
    fn request(&mut self, op: Op) -> Result<()> {
        if self.recent.len() == TOLD {
            self.recent.pop_front();
        }
        self.recent.push_back(op);
        let domain = self.model.domain().unwrap_or(u32::MAX);
        let answer = match op {
            Op::Map { iova, phys, perm } => self.iommu.map(domain, Mapping { iova, phys, perm }),
            Op::Unmap(span) => self.iommu.unmap(domain, span),
            Op::Attach(id, bypass) => self.iommu.attach(ENDPOINT, id, bypass),
            Op::Detach => self.iommu.detach(ENDPOINT, domain),
            Op::Reset => {
                self.iommu.reset();
                Ok(())
            }
            Op::Bypass(bypass) => {
                self.iommu.set_bypass(bypass);
                Ok(())
            }
        };
        let expected = self.model.apply(op);
        let told = answer.as_ref().err().map_or("OK".to_owned(), ToString::to_string);
        ensure!(answer.is_ok() == expected, "{op:x?}: answered {told}, the model says {expected}");
        self.tally.request(&op, expected);
        for leg in self.iommu.report().legs {
            let host = leg.host_mappings.unwrap_or(leg.mappings as u64);
            ensure!(!leg.quarantined, "{} is quarantined", leg.name);
            ensure!(
                host == leg.mappings as u64,
                "{} has {} mappings, the host {host}",
                leg.name,
                leg.mappings
            );
        }
        Ok(())
    }

    /// Aims at some addresses; where the device does not even reach its queues, that is what must show.
    fn aim(&mut self) -> Result<()> {
        let Ground { queues, granule, .. } = self.ground;
        if self.model.translates() && !self.model.reaches_all(queues, granule) {
            self.aim_without_queues()?;
            let queues = self.script.queues();
            self.request(queues)?;
        }
        if !self.model.reaches_all(queues, granule) {
            return self.aim_without_queues();
        }
        if !self.probe.is_running() {
            self.probe.start().context("starting the controller again")?;
        }
        for _ in 0..PROBES {
            let Some(page) = self.script.target(&self.model, &mut self.random) else { continue };
            let address = page + self.probe.sector() * self.random.below(granule / self.probe.sector());
            let aim = Aim { address, reach: self.model.reach(address) };
            let seen = self.probe.aim(aim, &mut self.random);
            self.tally.count(seen.with_context(|| format!("aiming at {aim:x?}"))?);
        }
        Ok(())
    }

    /// A controller that ran must die of not reaching its queues; one that has died stays so.
    fn aim_without_queues(&mut self) -> Result<()> {
        if !self.probe.is_running() {
            return Ok(());
        }
        match self.probe.ring_in_the_dark() {
            Err(Failure::Fatal) => {}
            other => anyhow::bail!("a device that must reach nothing answered {other:?}"),
        }
        self.probe.check()?;
        self.tally.count(probe::Seen::Unreachable);
        Ok(())
    }
}
