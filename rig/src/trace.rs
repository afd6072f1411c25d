//! Random requests that meet one another and every edge of a container.
//!
//! Addresses fold onto a few pages around the edges: 0, 4 GiB, both ends of each range that may be mapped, and the end
//! of the address space; one in three lies in a field of its own, where many mappings live at once. Half way, more
//! mappings are asked for than the container takes. One request in eight is of the kind that [`told`] makes.

mod told;

use std::ops::Range;

use iommu_domain::Perm;
use iommu_domain::mixed::model::{TraceOp, Type1Model};

use crate::random::Random;

/// Pages on either side of an edge.
const REACH: u64 = 8;
/// Pages of the field.
const FIELD: u64 = 4096;
/// One request in so many takes everything away.
const CLEAR: u64 = 500;
/// One number in so many is off its alignment.
const ODD: u64 = 40;
/// One request in so many is none that the product would make.
const TOLD: u64 = 8;

/// An endless source of requests.
pub struct Trace {
    random: Random,
    granule: u64,
    /// Pages of memory to map from.
    pages: u64,
    edges: Vec<u64>,
    /// Where there is room for all mappings side by side.
    room: u64,
    /// The requests that fill the container, by number.
    filling: Range<u64>,
    number: u64,
}

impl Trace {
    /// The requests of `seed` to a container like `model`; of the first `ops`, those in the middle fill it.
    pub fn new(model: &Type1Model, seed: u64, ops: u64) -> Trace {
        let granule = model.granule;
        let mut edges = vec![0, 1 << 32, 1 << 63];
        edges.extend(model.allowed.iter().map(|range| range.start()));
        edges.extend(model.allowed.iter().map(|range| range.last().wrapping_add(1)));
        edges.sort_unstable();
        edges.dedup();
        let widest = model.allowed.iter().max_by_key(|range| range.len_wide());
        let room = widest.map_or(0, |range| range.start() + (range.last() - range.start()) / 2);
        let entries = u64::from(model.entries);
        let fills = ops / 4 >= entries;
        Trace {
            random: Random::new(seed),
            granule,
            pages: model.memory / granule,
            edges,
            room: room & !(granule - 1),
            filling: if fills { ops / 2..ops / 2 + entries + 64 } else { 0..0 },
            number: 0,
        }
    }

    fn fill(&self) -> TraceOp {
        let page = self.number - self.filling.start;
        // Past the field, so that all of it is free.
        let iova = self.room + (FIELD + REACH * 8 + page) * self.granule;
        let va_offset = page % self.pages * self.granule;
        TraceOp::Map { iova, size: self.granule, va_offset, perm: Perm::READ_WRITE }
    }

    fn map(&mut self) -> TraceOp {
        let iova = self.address();
        let size = 1 + self.random.below(4);
        let va_offset = self.random.below(self.pages - size) * self.granule + self.odd();
        let size = size * self.granule + self.odd();
        TraceOp::Map { iova, size, va_offset, perm: self.perm() }
    }

    fn perm(&mut self) -> Perm {
        match self.random.below(24) {
            0 => Perm::NONE,
            1..6 => Perm::READ,
            6..11 => Perm::WRITE,
            _ => Perm::READ_WRITE,
        }
    }

    fn unmap(&mut self) -> TraceOp {
        let iova = self.address();
        let size = match self.random.below(64) {
            0 => self.granule << self.random.below(51),
            1..16 => (1 + self.random.below(64)) * self.granule,
            _ => (1 + self.random.below(4)) * self.granule,
        };
        TraceOp::Unmap { iova, size: size.saturating_add(self.odd()) }
    }

    fn address(&mut self) -> u64 {
        let address = if self.random.once_in(3) {
            self.room + self.random.below(FIELD) * self.granule
        } else {
            let edge = self.edges[self.random.below(self.edges.len() as u64) as usize];
            edge.wrapping_sub(REACH * self.granule).wrapping_add(self.random.below(2 * REACH) * self.granule)
        };
        address.wrapping_add(self.odd())
    }

    /// Mostly 0, else less than a page.
    fn odd(&mut self) -> u64 {
        if self.random.once_in(ODD) { self.random.below(self.granule) } else { 0 }
    }
}

impl Iterator for Trace {
    type Item = TraceOp;

    fn next(&mut self) -> Option<TraceOp> {
        let op = if self.filling.contains(&self.number) {
            self.fill()
        } else if self.random.once_in(CLEAR) {
            TraceOp::UnmapAll
        } else if self.random.once_in(TOLD) {
            self.told()
        } else if self.random.below(5) < 3 {
            self.map()
        } else {
            self.unmap()
        };
        self.number += 1;
        Some(op)
    }
}

#[cfg(test)]
mod tests;
