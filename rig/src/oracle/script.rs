//! Random requests, and addresses to aim at: what is live, what was live a moment ago, what lies beside it, anything.

use std::collections::VecDeque;

use data_model::Span;
use iommu_domain::Perm;

use super::model::{Live, Model, Op};
use crate::random::Random;

/// Pages that one mapping has at most.
const MOST_PAGES: u64 = 4;
/// Mappings that a domain keeps; above that, more are taken away than added.
const KEPT: usize = 40;
/// Addresses that are remembered after they have died.
const STALE: usize = 16;
const DOMAINS: u64 = 3;
const PERMS: [Perm; 5] = [Perm::READ_WRITE, Perm::READ_WRITE, Perm::READ, Perm::WRITE, Perm::NONE];

/// What the script knows of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Ground {
    /// The driver's queues: they stay where they are and are never aimed at.
    pub queues: Span,
    /// Memory to map.
    pub data: Span,
    /// Addresses that the device can put on the bus.
    pub input: Span,
    /// Bytes of a page.
    pub granule: u64,
}

/// The author.
pub struct Script {
    ground: Ground,
    stale: VecDeque<u64>,
}

impl Script {
    /// For one machine.
    pub fn new(ground: Ground) -> Script {
        Script { ground, stale: VecDeque::new() }
    }

    /// The mapping without which the device does not reach its queues.
    pub fn queues(&self) -> Op {
        let iova = self.ground.queues;
        Op::Map { iova, phys: iova.start(), perm: Perm::READ_WRITE }
    }

    /// The next request; some of them must be refused.
    pub fn next(&mut self, model: &Model, random: &mut Random) -> Op {
        let op = match random.below(100) {
            _ if model.domain().is_none() && random.once_in(2) => Self::attach(random),
            0..3 => Op::Detach,
            3..5 => Op::Reset,
            5..8 => Op::Bypass(!model.bypass()),
            8..12 => Self::attach(random),
            12..14 => Op::Unmap(self.ground.input),
            14..55 if model.mappings().len() < KEPT => self.map(random),
            _ => self.unmap(model, random),
        };
        self.remember(model, op);
        op
    }

    /// An address to aim at; its page is not one of the queues'.
    pub fn target(&self, model: &Model, random: &mut Random) -> Option<u64> {
        let granule = self.ground.granule;
        let page = match random.below(10) {
            0..4 => self.live_page(model, random)?,
            4..7 => *self.stale.get(random.below(STALE as u64) as usize)?,
            7 => {
                let page = self.live_page(model, random)?;
                if random.once_in(2) { page.checked_add(granule)? } else { page.checked_sub(granule)? }
            }
            8 => self.page_of(self.ground.data, random),
            _ => self.page_of(self.ground.input, random),
        };
        let aims_at_queues = match model.reach(page) {
            Some((phys, _)) => self.ground.queues.contains(phys),
            None => self.ground.queues.contains(page),
        };
        let fair = self.ground.input.contains(page) && !model.in_hole(page) && !aims_at_queues;
        fair.then_some(page)
    }

    fn attach(random: &mut Random) -> Op {
        Op::Attach(1 + random.below(DOMAINS) as u32, random.once_in(5))
    }

    fn map(&self, random: &mut Random) -> Op {
        let Ground { data, input, granule, .. } = self.ground;
        let bytes = granule * (1 + random.below(MOST_PAGES));
        let phys = self.page_of(data, random).min(data.last() - bytes + 1);
        // Mostly close together, so that mappings touch and overlap; else anywhere, also at both ends.
        let start = match random.below(8) {
            0 => input.start(),
            1 => input.last() - bytes + 1,
            2 => self.page_of(input, random).min(input.last() - bytes + 1),
            _ => self.ground.queues.start() + (1 << 30) + granule * random.below(256),
        };
        let iova = Span::from_len(start, bytes).unwrap_or(data);
        let perm = random.pick(&PERMS).copied().unwrap_or_default();
        Op::Map { iova, phys, perm }
    }

    /// One mapping, or a piece of the address space with whatever is in it, or a piece of a mapping (which is refused).
    fn unmap(&self, model: &Model, random: &mut Random) -> Op {
        let data: Vec<_> = model.mappings().iter().filter(|live| live.iova != self.ground.queues).collect();
        let Some(live) = random.pick(&data) else { return self.map(random) };
        let span = match random.below(10) {
            0 => Span::from_len(live.iova.start(), self.ground.granule),
            1 => Span::new(live.iova.start(), live.iova.last().saturating_add(4 * self.ground.granule)),
            _ => None,
        };
        Op::Unmap(span.unwrap_or(live.iova))
    }

    /// Keeps an address of each mapping that `op` ends.
    fn remember(&mut self, model: &Model, op: Op) {
        let ends = |live: &&Live| match op {
            Op::Unmap(span) => span.covers(&live.iova),
            Op::Detach | Op::Reset | Op::Attach(..) => true,
            Op::Map { .. } | Op::Bypass(_) => false,
        };
        for live in model.mappings().iter().filter(ends) {
            if self.stale.len() == STALE {
                self.stale.pop_front();
            }
            self.stale.push_back(live.iova.start());
        }
    }

    fn live_page(&self, model: &Model, random: &mut Random) -> Option<u64> {
        let live = random.pick(model.mappings())?;
        Some(self.page_of(live.iova, random))
    }

    fn page_of(&self, span: Span, random: &mut Random) -> u64 {
        let pages = (span.last() - span.start()) / self.ground.granule + 1;
        span.start() + self.ground.granule * random.below(pages)
    }
}

#[cfg(test)]
mod tests;
