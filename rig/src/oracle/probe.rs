//! One probe: the disk moves a block to or from an address, and what really happened is looked up in memory and on the disk.
//!
//! The controller's own answer is not believed: an emulated one reports success for a transfer that the IOMMU has stopped.

use anyhow::{Context, Result, bail, ensure};
use iommu_domain::Perm;

use super::memory::Memory;
use crate::nvme::{Direction, Failure, Nvme};
use crate::random::Random;

/// Blocks of the disk whose contents are known, near its end.
const KNOWN: u64 = 64;
/// Where to aim, and where the model says that it leads.
#[derive(Clone, Copy, Debug)]
pub struct Aim {
    /// The address as the device sees it, the start of a sector.
    pub address: u64,
    /// Where it leads and what is permitted there.
    pub reach: Option<(u64, Perm)>,
}

/// What was seen, and was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// The device wrote memory that it may write.
    Written,
    /// The device read memory that it may read.
    Read,
    /// The device could not write memory that it may only read.
    WriteForbidden,
    /// The device could not read memory that it may only write.
    ReadForbidden,
    /// The device wrote nothing where nothing is mapped.
    WriteDead,
    /// The device read nothing where nothing is mapped.
    ReadDead,
    /// The device could not reach its queues.
    Unreachable,
    /// The device read memory that it may only write, which the specification leaves open (M7): neither right nor wrong.
    WriteImpliesRead,
}

/// A disk that aims at memory.
pub struct Probe<'a> {
    nvme: Nvme<'a>,
    memory: Memory<'a>,
    running: bool,
    known: Vec<Vec<u8>>,
}

impl<'a> Probe<'a> {
    /// With a controller that is not running.
    pub fn new(nvme: Nvme<'a>, memory: Memory<'a>) -> Probe<'a> {
        Probe { nvme, memory, running: false, known: Vec::new() }
    }

    /// Bytes of one transfer.
    pub fn sector(&self) -> u64 {
        self.nvme.block
    }

    /// Whether the controller was last seen alive.
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// Starts the controller, dead or alive.
    pub fn start(&mut self) -> Result<(), Failure> {
        self.nvme.start()?;
        self.running = true;
        Ok(())
    }

    /// Puts known bytes on the disk.
    pub fn fill_disk(&mut self, random: &mut Random) -> Result<()> {
        for number in 0..KNOWN {
            let data = random.bytes(self.nvme.block as usize);
            self.nvme.write_block(self.first_known() + number, &data)?;
            ensure!(self.nvme.read_block(self.first_known() + number)? == data, "the disk forgets");
            self.known.push(data);
        }
        Ok(())
    }

    /// A command that the controller cannot fetch.
    pub fn ring_in_the_dark(&mut self) -> Result<(), Failure> {
        self.running = false;
        self.nvme.read_block(0).map(drop)
    }

    /// All memory must be as foreseen.
    pub fn check(&mut self) -> Result<()> {
        self.memory.check()
    }

    /// Aims once, in a direction of chance.
    pub fn aim(&mut self, aim: Aim, random: &mut Random) -> Result<Seen> {
        let seen = if random.once_in(2) { self.write(aim, random) } else { self.read(aim) }?;
        if let Some((phys, _)) = aim.reach {
            self.memory.renew(phys, random)?;
        }
        Ok(seen)
    }

    /// The device writes a known block to the address.
    fn write(&mut self, aim: Aim, random: &mut Random) -> Result<Seen> {
        let number = random.below(KNOWN);
        let answer = self.nvme.transfer(Direction::IntoMemory, self.first_known() + number, aim.address);
        let seen = match aim.reach {
            Some((phys, perm)) if perm.write => {
                answer.context("writing live memory")?;
                self.memory.foresee(phys, &self.known[number as usize])?;
                Seen::Written
            }
            Some(_) => Seen::WriteForbidden,
            None => Seen::WriteDead,
        };
        self.memory.check().with_context(|| format!("{seen:?} was expected"))?;
        Ok(seen)
    }

    /// The device puts what is at the address on the disk.
    fn read(&mut self, aim: Aim) -> Result<Seen> {
        let block = self.first_known() - 1;
        let answer = self.nvme.transfer(Direction::FromMemory, block, aim.address);
        self.memory.check()?;
        match (aim.reach, answer) {
            (Some((phys, perm)), answer) if perm.read => {
                answer.context("reading live memory")?;
                let right = self.nvme.read_block(block)? == self.memory.sector(phys)?;
                ensure!(right, "the disk holds something else than the memory that the device was to read");
                Ok(Seen::Read)
            }
            (reach, answer) => {
                // A transfer that ended well may have put anything on the disk but what is in memory.
                let found =
                    if answer.is_ok() { self.memory.find(&self.nvme.read_block(block)?) } else { None };
                match (found, reach) {
                    (None, Some(_)) => Ok(Seen::ReadForbidden),
                    (None, None) => Ok(Seen::ReadDead),
                    (Some(place), Some((phys, Perm::WRITE))) if place == phys => Ok(Seen::WriteImpliesRead),
                    (Some(place), _) => bail!("LEAK: the device has read memory at {place:#x}"),
                }
            }
        }
    }

    fn first_known(&self) -> u64 {
        self.nvme.count - KNOWN
    }
}
