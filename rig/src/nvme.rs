//! A small driver of NVMe controllers over VFIO: one admin queue, one queue for reads and writes of one block each.
//!
//! It tells a controller that has died (it could not reach its queues) from a command that was answered with an error; what
//! a command really did to memory is for the caller to look at. The controller reaches its queues at addresses that equal
//! their place in [`GuestRam`](base::GuestRam), and the caller maps them there.

mod command;
mod queue;

use std::io;
use std::time::{Duration, Instant};

use base::GuestMem;
use thiserror::Error;
use vfio::{AssignedDevice, PciRegion};
use vm_memory::{Bytes, GuestAddress};

use command::Command;
use queue::{DEPTH, Queue};

/// Bytes of a page of the controller, and of each queue.
pub const PAGE: u64 = 4096;
/// Pages that the driver needs: four rings, and one for its own transfers.
pub const PAGES: u64 = 5;
/// No answer for this long is an answer too.
const LIMIT: Duration = Duration::from_secs(20);
/// Looks at a ring from one look at the controller's state to the next.
const LOOKS: u32 = 256;

const BAR: PciRegion = PciRegion::Bar(0);
const CAP: u64 = 0x00;
const INTMS: u64 = 0x0c;
const CC: u64 = 0x14;
const CSTS: u64 = 0x1c;
const AQA: u64 = 0x24;
const ASQ: u64 = 0x28;
const ACQ: u64 = 0x30;
const DOORBELLS: u64 = 0x1000;
const READY: u32 = 1;
const FATAL: u32 = 2;
/// Enabled, entries of 64 and 16 bytes, pages of 4 KiB.
const ENABLE: u32 = 1 | 6 << 16 | 4 << 20;
/// PCI command: decode memory, be a bus master.
const COMMAND: u64 = 4;
const MEMORY_AND_MASTER: u16 = 6;

/// Why a command did not end well.
#[derive(Debug, Error)]
pub enum Failure {
    /// The controller says that it cannot go on: it did not reach its queues. [`Nvme::start`] brings it back.
    #[error("the controller has died: it cannot reach its queues")]
    Fatal,
    /// The controller answered with an error.
    #[error("the controller answered with status {0:#x}")]
    Status(u16),
    /// Neither an answer nor a sign of death.
    #[error("no answer to {0} for {LIMIT:?}")]
    Silent(&'static str),
    /// A register could not be reached.
    #[error("registers of the controller: {0}")]
    Register(#[from] io::Error),
    /// The memory of the queues is not there.
    #[error("memory of the queues: {0}")]
    Memory(#[from] vm_memory::GuestMemoryError),
}

/// Which way a transfer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The device writes what is on the disk into memory.
    IntoMemory,
    /// The device reads memory and puts it on the disk.
    FromMemory,
}

/// A controller.
pub struct Nvme<'a> {
    device: &'a dyn AssignedDevice,
    memory: &'a GuestMem,
    at: u64,
    stride: u64,
    interrupts: bool,
    admin: Queue,
    blocks: Queue,
    /// Bytes of a block of the disk.
    pub block: u64,
    /// Blocks of the disk.
    pub count: u64,
}

impl<'a> Nvme<'a> {
    /// A controller that is not running, with its queues at `at` of `memory`: [`PAGES`] pages. With `interrupts` the
    /// caller has given its vectors 0 and 1 an event; else all are masked.
    pub fn new(
        device: &'a dyn AssignedDevice,
        memory: &'a GuestMem,
        at: u64,
        interrupts: bool,
    ) -> Result<Nvme<'a>, Failure> {
        let mut command = [0; 2];
        device.read(PciRegion::Config, COMMAND, &mut command)?;
        let command = u16::from_le_bytes(command) | MEMORY_AND_MASTER;
        device.write(PciRegion::Config, COMMAND, &command.to_le_bytes())?;
        let (admin, blocks) = (Queue::new(0, at), Queue::new(1, at + 2 * PAGE));
        let mut nvme =
            Nvme { device, memory, at, stride: 4, interrupts, admin, blocks, block: 512, count: 0 };
        nvme.stride = 4 << (nvme.register(CAP + 4)? & 0xf);
        Ok(nvme)
    }

    /// Whether the controller is switched on, by whomever.
    pub fn is_enabled(&self) -> Result<bool, Failure> {
        Ok(self.register(CC)? & 1 != 0)
    }

    /// Stops the controller, whatever state it is in; it touches no memory afterwards.
    pub fn stop(&mut self) -> Result<(), Failure> {
        self.set_register(CC, 0)?;
        self.wait_for("a stop", |state| state & READY == 0)
    }

    /// Starts the controller anew; afterwards it takes reads and writes.
    pub fn start(&mut self) -> Result<(), Failure> {
        self.stop()?;
        self.admin.clear(self.memory)?;
        self.blocks.clear(self.memory)?;
        if !self.interrupts {
            self.set_register(INTMS, u32::MAX)?;
        }
        self.set_register(AQA, u32::from(DEPTH - 1) << 16 | u32::from(DEPTH - 1))?;
        let rings = [(ASQ, self.admin.submissions()), (ACQ, self.admin.completions())];
        for (register, address) in rings {
            self.set_register(register, address as u32)?;
            self.set_register(register + 4, (address >> 32) as u32)?;
        }
        self.set_register(CC, ENABLE)?;
        self.wait_for("a start", |state| state & (READY | FATAL) != 0)?;
        if self.register(CSTS)? & FATAL != 0 {
            return Err(Failure::Fatal);
        }
        self.administer(Command::create_completions(&self.blocks, self.interrupts))?;
        self.administer(Command::create_submissions(&self.blocks))?;
        self.identify()
    }

    /// Moves block `block` of the disk between the disk and `address` as the device sees it.
    pub fn transfer(&mut self, direction: Direction, block: u64, address: u64) -> Result<(), Failure> {
        let command = Command::transfer(direction, block, address);
        self.blocks.submit(self.memory, command)?;
        self.ring(&self.blocks, false)?;
        self.wait(|nvme| &mut nvme.blocks)
    }

    /// Reads a block into the driver's own page and copies it out.
    pub fn read_block(&mut self, block: u64) -> Result<Vec<u8>, Failure> {
        self.transfer(Direction::IntoMemory, block, self.own_page())?;
        let mut data = vec![0; self.block as usize];
        self.memory.read_slice(&mut data, GuestAddress(self.own_page()))?;
        Ok(data)
    }

    /// Writes one block, by way of the driver's own page.
    pub fn write_block(&mut self, block: u64, data: &[u8]) -> Result<(), Failure> {
        self.memory.write_slice(data, GuestAddress(self.own_page()))?;
        self.transfer(Direction::FromMemory, block, self.own_page())
    }

    fn own_page(&self) -> u64 {
        self.at + 4 * PAGE
    }

    /// Learns the size of the disk.
    fn identify(&mut self) -> Result<(), Failure> {
        let page = self.own_page();
        self.administer(Command::identify_disk(page))?;
        let mut data = [0; 192];
        self.memory.read_slice(&mut data, GuestAddress(page))?;
        let format = 128 + 4 * usize::from(data[26] & 0xf);
        self.block = 1 << (data[format + 2] & 0x1f);
        self.count = data[..8].iter().rev().fold(0, |count, byte| count << 8 | u64::from(*byte));
        Ok(())
    }

    fn administer(&mut self, command: Command) -> Result<(), Failure> {
        self.admin.submit(self.memory, command)?;
        self.ring(&self.admin, false)?;
        self.wait(|nvme| &mut nvme.admin)
    }

    /// Waits for the answer to the one command that is out.
    fn wait(&mut self, queue: fn(&mut Self) -> &mut Queue) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            for _ in 0..LOOKS {
                let memory = self.memory;
                if let Some(status) = queue(self).take(memory)? {
                    let head = *queue(self);
                    self.ring(&head, true)?;
                    return if status == 0 { Ok(()) } else { Err(Failure::Status(status)) };
                }
                std::thread::yield_now();
            }
            if self.register(CSTS)? & FATAL != 0 {
                return Err(Failure::Fatal);
            }
            if begun.elapsed() > LIMIT {
                return Err(Failure::Silent("a command"));
            }
        }
    }

    fn wait_for(&self, what: &'static str, done: impl Fn(u32) -> bool) -> Result<(), Failure> {
        let begun = Instant::now();
        while !done(self.register(CSTS)?) {
            if begun.elapsed() > LIMIT {
                return Err(Failure::Silent(what));
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Tells the controller how far a ring of `queue` has been written, or read.
    fn ring(&self, queue: &Queue, completions: bool) -> Result<(), Failure> {
        let number = 2 * u64::from(queue.number()) + u64::from(completions);
        let place = if completions { queue.head() } else { queue.tail() };
        self.set_register(DOORBELLS + number * self.stride, place.into())
    }

    fn register(&self, offset: u64) -> Result<u32, Failure> {
        let mut value = [0; 4];
        self.device.read(BAR, offset, &mut value)?;
        Ok(u32::from_le_bytes(value))
    }

    fn set_register(&self, offset: u64, value: u32) -> Result<(), Failure> {
        Ok(self.device.write(BAR, offset, &value.to_le_bytes())?)
    }
}
