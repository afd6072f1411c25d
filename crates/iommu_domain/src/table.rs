//! What a domain maps: the truth that every leg mirrors.
//!
//! Invariants: mappings never overlap, are never merged and never split. A mapping takes 24 bytes of tree entry: the
//! permission sits in the low bits of the target, which the granule keeps free.

use std::collections::BTreeMap;

use data_model::Span;

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

/// Whole mappings that a range covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// From the start of the first to the end of the last; holes may lie between.
    pub span: Span,
    /// How many.
    pub count: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    last: u64,
    target: u64,
}

/// The mappings of one domain, ordered by IOVA.
#[derive(Default)]
pub struct Table {
    entries: BTreeMap<u64, Entry>,
    bytes: u128,
}

impl Entry {
    fn mapping(&self, start: u64) -> Option<Mapping> {
        let perm = Perm { read: self.target & READ != 0, write: self.target & WRITE != 0 };
        Some(Mapping { iova: Span::new(start, self.last)?, phys: self.target & !FLAGS, perm })
    }
}

impl Table {
    /// Mappings in the table.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is mapped.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of IOVA space mapped.
    pub fn bytes(&self) -> u128 {
        self.bytes
    }

    /// The mapping that holds `iova`.
    pub fn get(&self, iova: u64) -> Option<Mapping> {
        let (start, entry) = self.entries.range(..=iova).next_back()?;
        entry.mapping(*start).filter(|mapping| mapping.iova.contains(iova))
    }

    /// Every mapping that shares an address with `span`, by falling IOVA.
    pub fn touching(&self, span: Span) -> impl Iterator<Item = Mapping> + '_ {
        let below = self.entries.range(..=span.last()).rev();
        below
            .filter_map(|(start, entry)| entry.mapping(*start))
            .take_while(move |there| there.iova.overlaps(&span))
    }

    /// A mapping that shares an address with `span`.
    pub fn overlapping(&self, span: Span) -> Option<Mapping> {
        self.touching(span).next()
    }

    /// Adds a mapping; refused, with the one in the way, when it overlaps.
    pub fn insert(&mut self, mapping: Mapping) -> Result<(), Mapping> {
        if let Some(there) = self.overlapping(mapping.iova) {
            return Err(there);
        }
        let target = (mapping.phys & !FLAGS)
            | if mapping.perm.read { READ } else { 0 }
            | if mapping.perm.write { WRITE } else { 0 };
        self.entries.insert(mapping.iova.start(), Entry { last: mapping.iova.last(), target });
        self.bytes += mapping.iova.len_wide();
        Ok(())
    }

    /// The mappings inside `span`, as one extent; `None` when there is none. An error carries a mapping that `span`
    /// covers in part only (U4). Costs two look-ups and a walk over what is inside.
    pub fn extent(&self, span: Span) -> Result<Option<Extent>, Mapping> {
        let cut = |at: u64| self.get(at).filter(|mapping| !span.covers(&mapping.iova));
        if let Some(mapping) = cut(span.start()).or_else(|| cut(span.last())) {
            return Err(mapping);
        }
        let mut inside = self.entries.range(span.start()..=span.last());
        let Some((first, entry)) = inside.next() else { return Ok(None) };
        let (mut last, mut count) = (entry.last, 1);
        for (_, entry) in inside {
            last = entry.last;
            count += 1;
        }
        Ok(Span::new(*first, last).map(|span| Extent { span, count }))
    }

    /// Removes every mapping inside the extent.
    pub fn remove(&mut self, extent: Extent) {
        let span = extent.span;
        let gone = self.entries.extract_if(span.start()..=span.last(), |_, entry| entry.last <= span.last());
        for (start, entry) in gone {
            self.bytes -= u128::from(entry.last - start) + 1;
        }
    }

    /// All mappings, by rising IOVA.
    pub fn iter(&self) -> impl Iterator<Item = Mapping> + '_ {
        self.entries.iter().filter_map(|(start, entry)| entry.mapping(*start))
    }
}

#[cfg(test)]
mod tests;
