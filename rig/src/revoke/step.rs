//! What is tried, one thing a function.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use virtio_iommu_spec::{MAP_F_READ, MAP_F_WRITE, Request, Status};
use vm_memory::{Bytes, GuestAddress};

use super::disk::{Disk, End, Way};
use super::report::Fault;
use super::{DATA, DOMAIN, RING};
use crate::hostile::driver::{Driver, PATIENCE};
use crate::random::Random;

/// Places on the disk, each as long as the memory; no two bytes at the same place in two of them need be equal.
const PLACES: u64 = 8;
/// Requests that are on their way when the memory goes.
const REQUESTS: u64 = 24;
/// Mappings that the memory consists of.
const MAPPINGS: u64 = 8;
/// Bytes that the disk copies at once: the last of each is what a late copy would write last.
const COPY: u64 = 64 << 10;
const BOTH: u32 = MAP_F_READ | MAP_F_WRITE;

/// Requests that ended well, and those that did not.
pub struct Ends {
    pub before: u64,
    pub after: u64,
}

/// The devices, and memory to give and take.
pub struct Step {
    iommu: Driver,
    disk: Disk,
    memory: u64,
    len: u64,
    /// Reports of faults so far.
    pub reports: u64,
}

impl Step {
    /// Attaches the disk, maps its ring and starts it. `data` is the memory: start and bytes.
    pub fn new(iommu: Driver, disk: Disk, (memory, len): (u64, u64)) -> Result<Step> {
        let mut step = Step { iommu, disk, memory, len, reports: 0 };
        let endpoint = step.disk.endpoint;
        step.iommu.settle(&Request::Attach { domain: DOMAIN, endpoint, flags: 0, reserved: 0 })?;
        step.map(RING, step.disk.ring, BOTH)?;
        step.disk.start(&step.iommu.ram)?;
        Ok(step)
    }

    /// All is mapped: the disk takes data and gives it back.
    pub fn whole(&mut self) -> Result<()> {
        self.map_memory(BOTH)?;
        for place in 0..PLACES {
            self.fill(&self.pattern(place))?;
            self.transfer(Way::FromMemory, place, End::Ok)?;
        }
        self.comes_back(PLACES / 2)?;
        self.unmap(DATA, self.len)
    }

    /// Takes the memory away while the disk fills it.
    pub fn under_io(&mut self, random: &mut Random) -> Result<Ends> {
        self.map_memory(BOTH)?;
        for at in 0..REQUESTS {
            self.disk.ask(Way::IntoMemory, at % PLACES * self.len, (DATA, self.len));
        }
        self.disk.notify()?;
        let mut ends = Ends { before: 0, after: 0 };
        for _ in 0..random.below(REQUESTS / 3) {
            ensure!(self.disk.next()? == End::Ok, "a request failed while its memory was mapped");
            ends.before += 1;
        }
        for _ in 0..random.below(20_000) {
            std::hint::spin_loop();
        }
        let kept = self.take_back()?;
        while ends.before + ends.after < REQUESTS {
            match self.disk.next()? {
                End::Ok => {
                    ensure!(ends.after == 0, "a request went well after one that found its memory gone");
                    ends.before += 1;
                }
                End::IoErr => ends.after += 1,
            }
        }
        self.unchanged(&kept, "UNMAP was answered, and the disk still wrote")?;
        let at = 512 * (1 + random.below(self.len / 512 - 1));
        self.refused(Way::IntoMemory, (DATA + at, 512))?;
        self.unchanged(&kept, "the disk wrote memory that is not mapped")?;
        Ok(ends)
    }

    /// Takes the memory away and writes to it the moment that this is answered; what is in it from then on.
    fn take_back(&mut self) -> Result<Vec<u8>> {
        let asked = self.iommu.ask(&unmapping(DATA, self.len));
        let answer = self.iommu.answer_of(asked)?;
        // A copy that goes on takes microseconds: nothing may come in between, no access to a register and no reading first. It
        // writes the last word of its piece last.
        let last_words = (COPY..=self.len).step_by(COPY as usize).map(|end| end - 8);
        for at in last_words.clone() {
            self.iommu.ram.mem.write_obj(u64::MAX, GuestAddress(self.memory + at))?;
        }
        ensure!(answer == Some(Status::Ok), "UNMAP was answered with {answer:?}");
        let mut kept = self.held()?;
        // As they were written, for a copy may have gone over them already.
        last_words.for_each(|at| kept[at as usize..][..8].fill(0xff));
        Ok(kept)
    }

    /// The disk may read the memory, and only that.
    pub fn read_only(&mut self) -> Result<()> {
        self.map_memory(MAP_F_READ)?;
        self.fill(&self.pattern(PLACES))?;
        let kept = self.held()?;
        self.refused(Way::IntoMemory, (DATA + 512, 4096))?;
        self.unchanged(&kept, "the disk wrote memory that it may only read")?;
        self.transfer(Way::FromMemory, 0, End::Ok)?;
        self.unmap(DATA, self.len)?;
        self.map_memory(BOTH)?;
        self.fill(&vec![0; self.len as usize])?;
        self.transfer(Way::IntoMemory, 0, End::Ok)?;
        self.unchanged(&kept, "the disk did not read the memory that it may read")?;
        self.unmap(DATA, self.len)
    }

    /// The disk may write the memory, and only that.
    pub fn write_only(&mut self) -> Result<()> {
        self.map_memory(MAP_F_WRITE)?;
        self.fill(&vec![0x77; self.len as usize])?;
        self.refused(Way::FromMemory, (DATA + 512, 4096))?;
        // What the disk holds where it was to write is what was there.
        self.comes_back(1)?;
        self.unmap(DATA, self.len)
    }

    /// Without its ring the disk asks for a reset, and works after it.
    pub fn without_ring(&mut self) -> Result<()> {
        let (_, len) = self.disk.ring;
        self.map_memory(BOTH)?;
        self.unmap(RING, len)?;
        self.disk.ask(Way::IntoMemory, 0, (DATA, 512));
        self.disk.notify()?;
        let begun = Instant::now();
        while !self.disk.needs_reset()? {
            ensure!(begun.elapsed() < PATIENCE, "the disk does not miss its ring");
        }
        ensure!(self.disk.poll()?.is_none(), "the disk answered in a ring that is not mapped");
        let fault = self.report()?.context("nobody was told that the ring is gone")?;
        ensure!((RING..RING + len).contains(&fault.address), "{fault:x?} is not in the ring");
        self.map(RING, self.disk.ring, BOTH)?;
        self.disk.start(&self.iommu.ram)?;
        self.comes_back(2)?;
        self.unmap(DATA, self.len)
    }

    /// One request that must fail, and be told of with its own address.
    fn refused(&mut self, way: Way, data: (u64, u64)) -> Result<()> {
        let end = self.disk.settle(way, self.len, data)?;
        ensure!(end == End::IoErr, "a request with data at {data:x?} went well");
        // Those before it are of the same memory.
        loop {
            let fault = self.report()?.with_context(|| format!("nobody was told of {:#x}", data.0))?;
            ensure!(fault.write == (way == Way::IntoMemory), "{fault:x?} has the wrong direction");
            let inside = (DATA..DATA + self.len).contains(&fault.address);
            ensure!(inside, "{fault:x?} is not in the memory");
            if fault.address == data.0 {
                return Ok(());
            }
        }
    }

    /// The next report, which must be of the disk.
    fn report(&mut self) -> Result<Option<Fault>> {
        let report = self.iommu.report(PATIENCE)?;
        let Some(fault) = report.map(|bytes| Fault::decode(&bytes)).transpose()? else { return Ok(None) };
        ensure!(fault.endpoint == self.disk.endpoint, "{fault:x?} is not of the disk");
        self.reports += 1;
        Ok(Some(fault))
    }

    /// All of the memory from or to a place of the disk.
    fn transfer(&mut self, way: Way, place: u64, expected: End) -> Result<()> {
        let end = self.disk.settle(way, place * self.len, (DATA, self.len))?;
        ensure!(end == expected, "{way:?}, place {place}: ended with {end:?}");
        Ok(())
    }

    /// A place of the disk holds its pattern.
    fn comes_back(&mut self, place: u64) -> Result<()> {
        self.fill(&vec![0; self.len as usize])?;
        self.transfer(Way::IntoMemory, place, End::Ok)?;
        self.unchanged(&self.pattern(place), "the disk gives back something else than it took")
    }

    fn pattern(&self, place: u64) -> Vec<u8> {
        let first = place * self.len / 8;
        let word = |at: u64| (first + at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
        (0..self.len / 8).flat_map(word).collect()
    }

    fn fill(&self, bytes: &[u8]) -> Result<()> {
        Ok(self.iommu.ram.mem.write_slice(bytes, GuestAddress(self.memory))?)
    }

    fn held(&self) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.len as usize];
        self.iommu.ram.mem.read_slice(&mut bytes, GuestAddress(self.memory))?;
        Ok(bytes)
    }

    fn unchanged(&self, kept: &[u8], otherwise: &str) -> Result<()> {
        let now = self.held()?;
        let at = kept.iter().zip(&now).position(|(kept, now)| kept != now);
        ensure!(at.is_none(), "{otherwise}: the first such byte is {at:x?}");
        Ok(())
    }

    fn map_memory(&mut self, flags: u32) -> Result<()> {
        let part = self.len / MAPPINGS;
        (0..MAPPINGS).try_for_each(|n| self.map(DATA + n * part, (self.memory + n * part, part), flags))
    }

    fn map(&mut self, iova: u64, (phys_start, len): (u64, u64), flags: u32) -> Result<()> {
        let (virt_start, virt_end) = (iova, iova + len - 1);
        self.iommu.settle(&Request::Map { domain: DOMAIN, virt_start, virt_end, phys_start, flags })
    }

    fn unmap(&mut self, iova: u64, len: u64) -> Result<()> {
        self.iommu.settle(&unmapping(iova, len))
    }
}

fn unmapping(virt_start: u64, len: u64) -> Request {
    Request::Unmap { domain: DOMAIN, virt_start, virt_end: virt_start + len - 1, reserved: 0 }
}
