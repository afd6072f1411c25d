//! A user of VFIO as the guests of this house must carry one: a disk with a driver in this process, memory mapped for it, and
//! accesses that must go through, or must not.
//!
//! Memory is filled with bytes that are nowhere else, so what turns up on the disk or in memory says where it came from.

use std::collections::BTreeSet;
use std::io;

use anyhow::{Context, Result, ensure};
use base::{EventFd, GuestRam, HostMemory, Poller, new_event};
use data_model::Span;
use vfio::{AssignedDevice, DmaPerm, IrqAction, PciIrq};
use vm_memory::{Bytes, GuestAddress};

use crate::host::Held;
use crate::nvme::{Direction, Failure, Nvme, PAGE, PAGES};
use crate::random::Random;

/// Where the memory lies, and where the device sees it. Also in the lab's windows, no reserved region is near.
pub const RAM: u64 = 1 << 30;
/// Pages to map, behind the pages of the queues.
pub const DATA_PAGES: u64 = 16;
/// Milliseconds that an interrupt may take.
const INTERRUPT_LIMIT: u32 = 30_000;

/// Memory of this process that a device may be given.
pub struct Ground {
    /// The memory.
    pub ram: GuestRam,
    memory: HostMemory,
    page: u64,
}

impl Ground {
    /// Memory for a driver's queues and some pages, on granules of the container.
    pub fn new(held: &Held, random: &mut Random) -> Result<Ground> {
        let page = held.container.info()?.page_sizes.granule();
        ensure!(page >= PAGE, "a granule of {page:#x} is smaller than a page of the controller");
        let len = (PAGES * PAGE).next_multiple_of(page) + DATA_PAGES * page;
        let ram = GuestRam::new(&[Span::from_len(RAM, len).context("no memory")?])?;
        let (_, memory) = HostMemory::of_ram(&ram).pop().context("no memory")?;
        ram.mem.write_slice(&random.bytes(len as usize), GuestAddress(RAM))?;
        Ok(Ground { ram, memory, page })
    }

    /// Where page `number` of the data lies.
    pub fn data(&self, number: u64) -> u64 {
        RAM + (PAGES * PAGE).next_multiple_of(self.page) + (number % DATA_PAGES) * self.page
    }

    /// Bytes of a page.
    pub fn page(&self) -> u64 {
        self.page
    }

    /// The driver's pages.
    fn queues(&self) -> Span {
        Span::new(RAM, self.data(0) - 1).unwrap_or(Span::ALL)
    }
}

/// The device, driven from here.
pub struct User<'a> {
    held: &'a Held,
    ground: &'a Ground,
    /// Its driver.
    pub nvme: Nvme<'a>,
    events: Vec<EventFd>,
    aimed: BTreeSet<u64>,
}

impl<'a> User<'a> {
    /// Maps the queues, enables two vectors of MSI-X and starts the controller.
    pub fn new(held: &'a Held, ground: &'a Ground) -> Result<User<'a>> {
        if held.device.is_resettable() {
            held.device.reset().context("resetting the controller")?;
        }
        let vectors = held.device.irq(PciIrq::Msix).count;
        ensure!(vectors >= 2, "the controller has {vectors} vectors of MSI-X, two are needed");
        let events = vec![new_event()?, new_event()?];
        let given: Vec<_> = events.iter().map(Some).collect();
        held.device
            .set_irqs(PciIrq::Msix, IrqAction::Trigger { start: 0, events: &given })
            .context("enabling MSI-X")?;
        let nvme = Nvme::new(&held.device, &ground.ram.mem, RAM, true)?;
        let mut user = User { held, ground, nvme, events, aimed: BTreeSet::new() };
        user.map_at(ground.queues(), RAM, DmaPerm::READ_WRITE).context("mapping the queues")?;
        user.nvme.start()?;
        Ok(user)
    }

    /// Maps `span` to this process's memory at `phys`.
    pub fn map_at(&self, span: Span, phys: u64, perm: DmaPerm) -> io::Result<()> {
        let slice = span.len().and_then(|len| self.ground.memory.slice(phys - RAM, len));
        self.held.container.map_memory(span, slice.ok_or(io::ErrorKind::InvalidInput)?, perm)
    }

    /// Maps one page.
    pub fn map(&self, iova: u64, phys: u64, perm: DmaPerm) -> Result<Span> {
        let span = Span::from_len(iova, self.ground.page).context("the page leaves the address space")?;
        self.map_at(span, phys, perm).with_context(|| format!("mapping {span}"))?;
        Ok(span)
    }

    /// Takes a mapping away, which must be there.
    pub fn unmap(&self, span: Span) -> Result<()> {
        let bytes = self.held.container.unmap_dma(span).with_context(|| format!("unmapping {span}"))?;
        ensure!(Some(bytes) == span.len(), "unmapping {span} took {bytes:#x} bytes away");
        Ok(())
    }

    /// The device writes block `block` to `iova`; whether it is in memory at `phys` then.
    pub fn writes(&mut self, block: u64, iova: u64, phys: u64) -> Result<bool> {
        let known = self.nvme.read_block(block)?;
        ensure!(self.memory(phys)? != known, "memory holds the block before it was written");
        self.answered(Direction::IntoMemory, block, iova)?;
        Ok(self.memory(phys)? == known)
    }

    /// The device puts what it finds at `iova` on block `block`; whether it is what memory holds at `phys`.
    pub fn reads(&mut self, block: u64, iova: u64, phys: u64) -> Result<bool> {
        let held = self.memory(phys)?;
        ensure!(self.nvme.read_block(block)? != held, "the disk holds the bytes before they were read");
        self.answered(Direction::FromMemory, block, iova)?;
        Ok(self.nvme.read_block(block)? == held)
    }

    /// Notes that an access to the page of `iova` will be blocked, so that the host's report of it surprises nobody.
    pub fn will_be_blocked(&mut self, iova: u64) {
        self.aimed.insert(iova & !(PAGE - 1));
    }

    /// Takes everything from the device: it must die of not reaching its queues.
    pub fn starve(&mut self) -> Result<()> {
        self.held.container.unmap_all().context("unmapping everything")?;
        (RAM..=self.ground.queues().last())
            .step_by(PAGE as usize)
            .for_each(|page| self.will_be_blocked(page));
        match self.nvme.read_block(0) {
            Err(Failure::Fatal) => Ok(()),
            other => anyhow::bail!("a device without mappings answered {:?}", other.map(|data| data.len())),
        }
    }

    /// Waits for an interrupt of vector `vector`, and takes it.
    pub fn interrupted(&self, vector: usize) -> Result<u64> {
        let event = self.events.get(vector).context("no such vector")?;
        let mut poller = Poller::new()?;
        poller.add(event, 0)?;
        let ready = poller.wait(Some(INTERRUPT_LIMIT))?;
        ensure!(!ready.is_empty(), "no interrupt of vector {vector} for {INTERRUPT_LIMIT} ms");
        Ok(event.read()?)
    }

    /// Stops the controller and turns its interrupts off; the pages whose accesses were to be blocked.
    pub fn end(mut self) -> Result<BTreeSet<u64>> {
        self.nvme.stop()?;
        self.held.device.set_irqs(PciIrq::Msix, IrqAction::Disable).context("disabling MSI-X")?;
        Ok(self.aimed)
    }

    /// One block's worth of memory.
    fn memory(&self, phys: u64) -> Result<Vec<u8>> {
        let mut data = vec![0; self.nvme.block as usize];
        self.ground.ram.mem.read_slice(&mut data, GuestAddress(phys))?;
        Ok(data)
    }

    /// A transfer that the controller answers; with an error it may, when it was not to go through.
    fn answered(&mut self, direction: Direction, block: u64, iova: u64) -> Result<()> {
        match self.nvme.transfer(direction, block, iova) {
            Ok(()) => Ok(()),
            Err(Failure::Status(_)) if self.aimed.contains(&(iova & !(PAGE - 1))) => Ok(()),
            Err(failure) => Err(failure).with_context(|| format!("a transfer at {iova:#x}")),
        }
    }
}
