//! A process of the VMM is killed; what the assigned disk could reach a moment before, it can reach no longer.
//!
//! The guest has been halted, so the disk is driven from here, over main's own descriptor of it and in guest memory, through
//! the mappings that the guest made: its DMA lands. Then a process dies, and main with it. Whoever still holds the device's
//! descriptor keeps its container and all that is mapped in it: what is dead then was taken away by main, not by the kernel.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base::{GuestRam, Poller};
use data_model::Span;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, Signal, kill_process, pidfd_getfd, pidfd_open};
use vfio::{AssignedDevice, Device, PciRegion};
use vm_memory::{Bytes, GuestAddress};

use crate::host::Held;
use crate::nvme::{Direction, Failure, Nvme, PAGE, PAGES};

/// From the start of guest memory to the pages used here: no kernel of a guest lies there, and it does not matter.
const PLACE: u64 = 64 << 20;
/// Milliseconds that main may take to end: it waits ten seconds for its processes.
const LIMIT: u32 = 60_000;
/// How often a group that main has held is asked for before it counts as never given back.
const TRIES: u32 = 200;
const AGAIN: Duration = Duration::from_millis(50);
/// Where the class of a PCI function stands, and that of NVMe controllers.
const CLASS: u64 = 9;
const NVME_CLASS: [u8; 3] = [2, 8, 1];
/// What lies in memory before the device writes to it.
const UNTOUCHED: u8 = 0xa7;

/// Who is there, and who is to die.
pub struct Scene<'a> {
    /// The VMM's main process.
    pub main: u32,
    /// The process that is killed.
    pub victim: u32,
    /// The disk's PCI address on this host.
    pub device: &'a str,
    /// Where guest memory begins, and where the device sees it.
    pub ram: u64,
}

/// Plays the scene; says what was seen.
pub fn run(scene: &Scene<'_>) -> Result<String> {
    let main = pidfd_open(pid(scene.main)?, PidfdFlags::empty()).context("main is not there")?;
    let ram = guest_ram(scene, &main)?;
    let device = find_device(scene, &main)?;
    let place = Place { ram: &ram, queues: scene.ram + PLACE, data: scene.ram + PLACE + PAGES * PAGE };
    let landed = place.reach(&device).context("before the death")?;
    ensure!(landed == Reach::Lands, "the disk's DMA did not land before the death");
    place.wipe()?;

    // Nobody else has the device when main dies: it has to be found free.
    let kept = (scene.victim != scene.main).then_some(device);
    kill_process(pid(scene.victim)?, Signal::KILL).context("killing the process")?;
    println!("killed {} of main {}", scene.victim, scene.main);
    wait_for_end(&main)?;
    ensure!(place.is_untouched()?, "the device wrote guest memory after the death");
    let held = kept.is_none().then(|| reopen(scene.device)).transpose()?;
    let device = match (&kept, &held) {
        (Some(device), _) => device,
        (None, Some(held)) => &held.device,
        (None, None) => bail!("no device"),
    };
    ensure!(!place.nvme(device)?.is_enabled()?, "the controller was not reset");
    blocked_pages(&place);
    let after = place.reach(device).context("after the death")?;
    ensure!(after == Reach::Dead, "the disk's DMA lands after the death");
    ensure!(place.is_untouched()?, "the device wrote guest memory that it must not reach");
    let how = if kept.is_some() { "main's descriptor kept" } else { "the group taken anew" };
    Ok(format!("death: DMA landed before and is dead after, the controller reset, {how}"))
}

/// What came of driving the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// It found its queues, and a block in memory and back was right.
    Lands,
    /// It could not reach its queues.
    Dead,
}

/// The pages of guest memory that are used.
struct Place<'a> {
    ram: &'a GuestRam,
    queues: u64,
    data: u64,
}

impl Place<'_> {
    fn nvme<'d>(&'d self, device: &'d Device) -> Result<Nvme<'d>> {
        Ok(Nvme::new(device, &self.ram.mem, self.queues, false)?)
    }

    fn reach(&self, device: &Device) -> Result<Reach> {
        let mut nvme = self.nvme(device)?;
        match nvme.start() {
            Ok(()) => {}
            Err(Failure::Fatal) => return Ok(Reach::Dead),
            Err(other) => return Err(other.into()),
        }
        let known = nvme.read_block(0)?;
        self.wipe()?;
        nvme.transfer(Direction::IntoMemory, 0, self.data)?;
        let mut seen = vec![0; known.len()];
        self.ram.mem.read_slice(&mut seen, GuestAddress(self.data))?;
        ensure!(seen == known, "what the device wrote is not what is on the disk");
        let fresh: Vec<u8> = (0..nvme.block).map(|at| (at % 251) as u8).collect();
        nvme.write_block(nvme.count - 1, &fresh)?;
        ensure!(nvme.read_block(nvme.count - 1)? == fresh, "what the device read is not what was in memory");
        Ok(Reach::Lands)
    }

    fn wipe(&self) -> Result<()> {
        Ok(self.ram.mem.write_slice(&[UNTOUCHED; PAGE as usize], GuestAddress(self.data))?)
    }

    fn is_untouched(&self) -> Result<bool> {
        let mut page = vec![0; PAGE as usize];
        self.ram.mem.read_slice(&mut page, GuestAddress(self.data))?;
        Ok(page.iter().all(|byte| *byte == UNTOUCHED))
    }
}

/// The host's report of these accesses must surprise nobody.
fn blocked_pages(place: &Place<'_>) {
    let pages: Vec<_> = (0..=PAGES).map(|page| format!("{:#x}", place.queues + page * PAGE)).collect();
    println!("blocked {}", pages.join(" "));
}

fn pid(number: u32) -> Result<Pid> {
    i32::try_from(number).ok().and_then(Pid::from_raw).with_context(|| format!("{number} is no process"))
}

/// Main's descriptors whose names begin so.
fn descriptors(scene: &Scene<'_>, main: &OwnedFd, name: &str) -> Result<Vec<OwnedFd>> {
    let folder = format!("/proc/{}/fd", scene.main);
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {folder}"))? {
        let path = entry?.path();
        if !fs::read_link(&path).is_ok_and(|target| target.to_string_lossy().starts_with(name)) {
            continue;
        }
        let number = path.file_name().and_then(|number| number.to_str()?.parse().ok());
        let number = number.with_context(|| format!("{} is no descriptor", path.display()))?;
        let copy = pidfd_getfd(main, number, PidfdGetfdFlags::empty());
        found.push(copy.with_context(|| format!("copying descriptor {number} of main"))?);
    }
    Ok(found)
}

fn guest_ram(scene: &Scene<'_>, main: &OwnedFd) -> Result<GuestRam> {
    let file = descriptors(scene, main, "/memfd:guest-ram")?.pop().context("main has no guest memory")?;
    let file = File::from(file);
    let span = Span::from_len(scene.ram, file.metadata()?.len()).context("no such memory")?;
    Ok(GuestRam::from_file(&[span], file)?)
}

fn find_device(scene: &Scene<'_>, main: &OwnedFd) -> Result<Device> {
    for fd in descriptors(scene, main, "anon_inode:[vfio-device]")? {
        let device = Device::from_fd(scene.device, fd)?;
        let mut class = [0; 3];
        device.read(PciRegion::Config, CLASS, &mut class)?;
        if class == NVME_CLASS {
            return Ok(device);
        }
    }
    bail!("main has no NVMe controller")
}

fn wait_for_end(main: &OwnedFd) -> Result<()> {
    let mut poller = Poller::new()?;
    poller.add(main, 0)?;
    ensure!(!poller.wait(Some(LIMIT))?.is_empty(), "main has not ended after {LIMIT} ms");
    Ok(())
}

/// Takes the device as a next user would, once the kernel has let go of it.
fn reopen(address: &str) -> Result<Held> {
    let mut tries = 0;
    loop {
        match Held::open(address) {
            Ok(held) => return Ok(held),
            Err(error) if tries == TRIES => return Err(error.context("the group is not free")),
            Err(_) => tries += 1,
        }
        std::thread::sleep(AGAIN);
    }
}
