//! VFIO inside a guest, from the kernel's disk driver and back to it, round after round.
//!
//! A round takes the disk from the kernel's driver, drives it from here (DMA in both directions, what must not be written or
//! reached, MSI-X), gives it back, and reads it through the kernel's driver again.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, ensure};
use vfio::DmaPerm;

use crate::binding::{bind, disk_of, driver_of, find_network_card, find_nvme};
use crate::host::Held;
use crate::random::Random;
use crate::user::{Ground, User};

/// Bytes of the disk that are compared, from its start.
const COMPARED: usize = 64 << 10;
/// Where the device sees memory: far from the queues, and from everything that the kernel's own driver would use.
const DATA: u64 = 0x5_0000_0000;
/// Where nothing is ever mapped.
const NOTHING: u64 = 0x6_dead_0000;

/// Plays `rounds` rounds with the NVMe disk of this guest, and if asked for with a network card in its domain, and with the
/// other functions of its group; says what came of each.
pub fn run(rounds: u32, with_network_card: bool, with_group: bool) -> Result<String> {
    let address = find_nvme()?;
    let card = with_network_card.then(find_network_card).transpose()?;
    let mates = if with_group { mates_of(&address)? } else { Vec::new() };
    ensure!(mates.is_empty() != with_group, "{address} is alone in its group");
    let others: Vec<_> = card.iter().chain(&mates).map(|other| (other.clone(), driver_of(other))).collect();
    others.iter().try_for_each(|(other, _)| bind(other, "vfio-pci"))?;
    let mut pattern = vec![0; COMPARED];
    File::open(disk_of(&address)?)?.read_exact(&mut pattern).context("reading the disk")?;
    let mut interrupts = 0;
    let mut blocked = BTreeSet::new();
    for round in 1..=rounds {
        bind(&address, "vfio-pci")?;
        let mut random = Random::new(u64::from(round));
        let done = drive(&address, card.as_deref(), &pattern, &mut random);
        let done = done.with_context(|| format!("round {round}"))?;
        bind(&address, "nvme")?;
        back(&address, &pattern, &done).with_context(|| format!("after round {round}"))?;
        println!("round {round}: {} interrupts", done.interrupts);
        interrupts += done.interrupts;
        blocked.extend(done.blocked);
    }
    for (other, driver) in &others {
        driver.iter().try_for_each(|driver| bind(other, driver))?;
    }
    let list: Vec<_> = blocked.iter().map(|page| format!("{page:#x}")).collect();
    println!("blocked {}", list.join(" "));
    Ok(format!("in-guest: {rounds} rounds, {interrupts} interrupts, {} pages blocked", blocked.len()))
}

/// The other functions of a function's group.
fn mates_of(address: &str) -> Result<Vec<String>> {
    let folder = format!("/sys/bus/pci/devices/{address}/iommu_group/devices");
    let members = fs::read_dir(&folder).with_context(|| format!("reading {folder}"))?.flatten();
    let names = members.map(|member| member.file_name().to_string_lossy().into_owned());
    Ok(names.filter(|name| name != address).collect())
}

/// What a round leaves behind.
struct Round {
    interrupts: u64,
    blocked: BTreeSet<u64>,
    /// A block of the disk, and what the device has put there.
    block: u64,
    written: Vec<u8>,
}

fn drive(address: &str, card: Option<&str>, pattern: &[u8], random: &mut Random) -> Result<Round> {
    let held = Held::open(address)?;
    let ground = Ground::new(&held, random)?;
    let mut user = User::new(&held, &ground)?;
    let mut interrupts = user.interrupted(0)?;
    for (block, expected) in pattern.chunks(user.nvme.block as usize).enumerate() {
        ensure!(user.nvme.read_block(block as u64)? == expected, "block {block} is not what the kernel read");
    }
    interrupts += user.interrupted(1)?;
    let last = user.nvme.count - 1;
    let page = ground.page();
    let (first, second) = (ground.data(0), ground.data(1));

    let open = user.map(DATA, first, DmaPerm::READ_WRITE)?;
    ensure!(user.writes(0, DATA, first)?, "the device did not write memory that it may write");
    ensure!(user.reads(last, DATA + page / 2, first + page / 2)?, "the device did not read what is mapped");
    let written = user.nvme.read_block(last)?;
    interrupts += user.interrupted(1)?;
    // Two groups in one domain: one comes to what is mapped already, and its leaving takes nothing from the other.
    let joined = card.map(|card| held.join(card).context("joining the container")).transpose()?;
    user.map(DATA + page, second, DmaPerm::READ)?;
    user.will_be_blocked(DATA + page);
    ensure!(!user.writes(1, DATA + page, second)?, "the device wrote memory that it may only read");
    drop(joined);
    ensure!(user.reads(last - 1, DATA + page, second)?, "the device did not read what it may read");

    user.will_be_blocked(NOTHING);
    ensure!(!user.writes(2, NOTHING, ground.data(2))?, "the device wrote where nothing is mapped");
    user.unmap(open)?;
    user.will_be_blocked(DATA);
    ensure!(!user.writes(3, DATA, first)?, "the device wrote to what was unmapped");
    ensure!(!user.reads(last - 2, DATA, first)?, "the device read what was unmapped");
    user.starve()?;
    Ok(Round { interrupts, blocked: user.end()?, block: last, written })
}

/// The disk through the kernel's driver again.
fn back(address: &str, pattern: &[u8], done: &Round) -> Result<()> {
    let disk = File::open(disk_of(address)?)?;
    let mut again = vec![0; pattern.len()];
    disk.read_exact_at(&mut again, 0).context("reading the disk again")?;
    ensure!(again == pattern, "the kernel's driver reads something else than before");
    let mut block = vec![0; done.written.len()];
    disk.read_exact_at(&mut block, done.block * done.written.len() as u64)?;
    ensure!(block == done.written, "the kernel's driver does not read what the device has put on the disk");
    Ok(())
}
