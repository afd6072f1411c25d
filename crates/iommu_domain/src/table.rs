//! What a domain maps: the truth that every leg mirrors.
//!
//! Invariants: mappings never overlap, are never merged and never split. A mapping takes 24 bytes: the permission sits in
//! the low bits of the target, which the granule keeps free.

mod packed;

use std::fmt;

use data_model::Span;
use packed::{Entry, Packed};

use crate::Perm;

const READ: u64 = 1 << 0;
const WRITE: u64 = 1 << 1;
const FLAGS: u64 = READ | WRITE;

/// Targets are multiples of this many bytes, so that flags fit below.
pub const MIN_GRANULE: u64 = 1 << 10;

/// One mapping of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mapping {
    /// IOVA range.
    pub iova: Span,
    /// Guest-physical address of the first byte, a multiple of the granule.
    pub phys: u64,
    /// What endpoints may do.
    pub perm: Perm,
}

impl Mapping {
    /// What it leads to; `None` when that would leave the address space.
    pub fn target(&self) -> Option<Span> {
        Span::from_len(self.phys, self.iova.len()?)
    }

    /// Bytes; of all the address space one less, which no number of 64 bits tells.
    pub fn bytes(&self) -> u64 {
        self.iova.len().unwrap_or(u64::MAX)
    }
}

/// Whole mappings that a range covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// From the start of the first to the end of the last; holes may lie between.
    pub span: Span,
    /// How many.
    pub count: usize,
    /// Bytes that they map, without the holes.
    pub bytes: u64,
}

/// The mappings of one domain, ordered by IOVA. Two are equal that hold the same.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Table {
    entries: Packed,
    bytes: u128,
}

impl Entry {
    /// Bytes; of all the address space one less, which no number of 64 bits tells.
    fn bytes(&self) -> u64 {
        (self.last - self.start).saturating_add(1)
    }

    fn mapping(&self) -> Option<Mapping> {
        let perm = Perm { read: self.target & READ != 0, write: self.target & WRITE != 0 };
        Some(Mapping { iova: Span::new(self.start, self.last)?, phys: self.target & !FLAGS, perm })
    }
}

impl Table {
    /// Mappings in the table.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is mapped.
    pub fn is_empty(&self) -> bool {
        self.entries.len() == 0
    }

    /// Bytes of IOVA space mapped.
    pub fn bytes(&self) -> u128 {
        self.bytes
    }

    /// The mapping that holds `iova`.
    pub fn get(&self, iova: u64) -> Option<Mapping> {
        let entry = self.entries.at_or_before(iova)?;
        entry.mapping().filter(|mapping| mapping.iova.contains(iova))
    }

    /// Every mapping that shares an address with `span`, by falling IOVA.
    pub fn touching(&self, span: Span) -> impl Iterator<Item = Mapping> + '_ {
        let falling = self.entries.falling(span.last());
        falling.filter_map(Entry::mapping).take_while(move |there| there.iova.overlaps(&span))
    }

    /// The same by rising IOVA.
    pub fn touching_rising(&self, span: Span) -> impl Iterator<Item = Mapping> + '_ {
        let first = self.get(span.start()).map_or(span.start(), |there| there.iova.start());
        self.entries.rising(first, span.last()).filter_map(Entry::mapping)
    }

    /// A mapping that shares an address with `span`.
    pub fn overlapping(&self, span: Span) -> Option<Mapping> {
        // Mappings do not overlap: when the last one that starts in time ends too early, all do.
        let there = self.entries.at_or_before(span.last())?.mapping()?;
        there.iova.overlaps(&span).then_some(there)
    }

    /// Adds a mapping; refused, with the one in the way, when it overlaps.
    pub fn insert(&mut self, mapping: Mapping) -> Result<(), Mapping> {
        let target = (mapping.phys & !FLAGS)
            | if mapping.perm.read { READ } else { 0 }
            | if mapping.perm.write { WRITE } else { 0 };
        let entry = Entry { start: mapping.iova.start(), last: mapping.iova.last(), target };
        if let Err(there) = self.entries.insert(entry) {
            return Err(there.mapping().unwrap_or(mapping));
        }
        self.bytes += mapping.iova.len_wide();
        Ok(())
    }

    /// The mappings inside `span`, as one extent; `None` when there is none. An error carries a mapping that `span`
    /// covers in part only (U4). Costs two look-ups and a walk over what is inside.
    pub fn extent(&self, span: Span) -> Result<Option<Extent>, Mapping> {
        let exact = self.entries.at_or_before(span.last());
        if exact.is_some_and(|entry| (entry.start, entry.last) == (span.start(), span.last())) {
            return Ok(exact.map(|entry| Extent { span, count: 1, bytes: entry.bytes() }));
        }
        if let Some(mapping) = self.cut_by(span) {
            return Err(mapping);
        }
        let mut inside = self.entries.rising(span.start(), span.last());
        let Some(first) = inside.next().copied() else { return Ok(None) };
        let (mut last, mut count, mut bytes) = (first.last, 1, first.bytes());
        for entry in inside {
            last = entry.last;
            count += 1;
            bytes = bytes.saturating_add(entry.bytes());
        }
        Ok(Span::new(first.start, last).map(|span| Extent { span, count, bytes }))
    }

    /// The mapping at either end of `span` that lies in it in part only.
    pub fn cut_by(&self, span: Span) -> Option<Mapping> {
        let cut = |there: &Mapping| !span.covers(&there.iova);
        let last = self.get(span.last());
        if last.is_some_and(|there| there.iova.start() <= span.start()) {
            return last.filter(cut); // It holds both ends: the common case of an exact UNMAP.
        }
        self.get(span.start()).filter(cut).or(last.filter(cut))
    }

    /// Removes every mapping that lies inside `span` whole.
    pub fn remove(&mut self, span: Span) {
        let bytes = &mut self.bytes;
        self.entries.remove(span.start(), span.last(), |entry| {
            *bytes -= u128::from(entry.last - entry.start) + 1;
        });
    }

    /// All mappings, by rising IOVA.
    pub fn iter(&self) -> impl Iterator<Item = Mapping> + '_ {
        self.entries.iter().filter_map(Entry::mapping)
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests;
