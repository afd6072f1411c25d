//! The whole space of addresses, a page here and there: each is refused by this kernel, or live for the device.
//!
//! Inside a guest this finds any address that the guest's kernel allows and the host does not: such a page looks mapped in here,
//! and no DMA reaches it.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use data_model::Span;
use vfio::DmaPerm;

use crate::binding::{bind, disk_of, find_nvme};
use crate::host::{Held, reserved_of};
use crate::random::Random;
use crate::user::{Ground, User};

/// Pages anywhere, beside those that somebody might get wrong.
const ANYWHERE: u64 = 64;
/// Sizes of address spaces, and borders inside them.
const BORDERS: [u32; 10] = [16, 20, 27, 30, 31, 32, 39, 40, 47, 48];

/// Tries pages all over the space with the NVMe disk of this guest.
pub fn run(seed: u64) -> Result<String> {
    let address = find_nvme()?;
    bind(&address, "vfio-pci")?;
    let told = try_all(&address, seed)?;
    bind(&address, "nvme")?;
    disk_of(&address)?;
    Ok(told)
}

fn try_all(address: &str, seed: u64) -> Result<String> {
    let held = Held::open(address)?;
    let mut random = Random::new(seed);
    let ground = Ground::new(&held, &mut random)?;
    let allowed = held.allowed()?;
    let reserved: Vec<Span> = reserved_of(held.number)?.iter().map(|region| region.0).collect();
    allowed.iter().for_each(|range| println!("may be mapped: {range}"));
    reserved.iter().for_each(|range| println!("reserved: {range}"));
    let mut user = User::new(&held, &ground)?;
    let last = user.nvme.count - 1;
    let (mut live, mut refused) = (0, 0);
    for page in pages(&allowed, &reserved, ground.page(), &mut random) {
        let number = live % crate::user::DATA_PAGES;
        let may = allowed.iter().any(|range| range.covers(&page));
        let hit = reserved.iter().find(|region| region.overlaps(&page));
        let phys = ground.data(number);
        match user.map(page.start(), phys, DmaPerm::READ_WRITE) {
            Ok(_) => {
                ensure!(may && hit.is_none(), "{page} was mapped; reserved region in its way: {hit:?}");
                let reached =
                    user.reads(last, page.start(), phys)? && user.writes(live, page.start(), phys)?;
                ensure!(reached, "{page} is mapped in here, and the device does not reach memory there");
                user.unmap(page)?;
                live += 1;
            }
            Err(error) => {
                ensure!(!may, "{page} may be mapped and was refused: {error:#}");
                refused += 1;
            }
        }
    }
    user.end().context("stopping the controller")?;
    ensure!(live > 0 && refused > 0, "{live} pages live, {refused} refused: one kind was never seen");
    Ok(format!("space: {} pages, {live} live, {refused} refused", live + refused))
}

/// Each page once: at the edges of every range, in the middle of reserved regions, at borders, and anywhere.
fn pages(allowed: &[Span], reserved: &[Span], page: u64, random: &mut Random) -> Vec<Span> {
    let mut starts = BTreeSet::from([0, page, 1 << 20, u64::MAX]);
    for range in allowed.iter().chain(reserved) {
        let middle = range.start() + (range.last() - range.start()) / 2;
        starts.extend([range.start(), range.last(), middle, range.start() + page]);
        starts.extend(range.start().checked_sub(1));
        starts.extend(range.last().checked_add(1));
    }
    // Interrupt frames of guests lie in reserved regions: every page of a small one.
    for region in reserved.iter().filter(|region| region.len().is_some_and(|len| len <= 1 << 20)) {
        starts.extend((region.start()..=region.last()).step_by(page as usize));
    }
    starts.extend(BORDERS.iter().flat_map(|bits| [(1 << bits) - 1, 1 << bits]));
    let top = allowed.last().map_or(u64::MAX, Span::last);
    starts.extend((0..ANYWHERE).map(|_| random.below(top)));
    // Not where the driver has its queues.
    let queues = Span::from_len(crate::user::RAM, 1 << 20);
    let spans = starts.iter().map(|start| start & !(page - 1)).collect::<BTreeSet<_>>();
    spans
        .into_iter()
        .filter_map(|start| Span::from_len(start, page))
        .filter(|span| queues.is_none_or(|queues| !queues.overlaps(span)))
        .collect()
}

#[cfg(test)]
mod tests;
