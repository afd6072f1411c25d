//! The user's slots: disjoint, never merged, never split.
//!
//! They are the reservations too. The letter kept a second list of those, and let the two drift apart.

use std::collections::BTreeMap;

use data_model::Span;

use super::Target;
use crate::Perm;

/// A mapping of the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Where.
    pub span: Span,
    /// What it leads to.
    pub target: Target,
    /// What devices may do.
    pub perm: Perm,
    /// The user's own mark.
    pub tag: u64,
    /// Whether what it leads to may be written at all; a copy of the slot may not exceed that.
    pub writable: bool,
    /// Whether its bytes count as locked memory; those of a copy do not again.
    pub charged: bool,
}

/// The slots of a domain, by rising IOVA.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Slots {
    slots: BTreeMap<u64, Slot>,
    locked: u128,
}

impl Slot {
    /// Bytes that count as locked memory.
    pub(super) fn locked(&self) -> u128 {
        let counts = self.charged && matches!(self.target, Target::Ram { .. });
        if counts { self.span.len_wide() } else { 0 }
    }
}

impl Slots {
    /// How many.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Bytes that count as locked memory while a device is attached.
    pub fn locked(&self) -> u128 {
        self.locked
    }

    /// The slot that holds `iova`.
    pub fn at(&self, iova: u64) -> Option<&Slot> {
        self.overlapping(Span::new(iova, iova)?)
    }

    /// The highest slot that shares an address with `span`.
    pub fn overlapping(&self, span: Span) -> Option<&Slot> {
        self.slots
            .range(..=span.last())
            .next_back()
            .map(|(_, slot)| slot)
            .filter(|slot| slot.span.overlaps(&span))
    }

    /// The slots that share an address with `span`, by rising IOVA.
    pub fn touching(&self, span: Span) -> impl Iterator<Item = &Slot> {
        let first = self.at(span.start()).map_or(span.start(), |slot| slot.span.start());
        self.slots.range(first..=span.last()).map(|(_, slot)| slot)
    }

    /// The slot at either end of `span` that lies in it in part only.
    pub fn cut_by(&self, span: Span) -> Option<&Slot> {
        let mut ends = [self.at(span.start()), self.at(span.last())].into_iter().flatten();
        ends.find(|slot| !span.covers(&slot.span))
    }

    /// Adds a slot that overlaps none; `false`, and nothing happens, when it does.
    pub(super) fn insert(&mut self, slot: Slot) -> bool {
        let free = self.overlapping(slot.span).is_none();
        if free {
            self.locked += slot.locked();
            self.slots.insert(slot.span.start(), slot);
        }
        free
    }

    /// Removes the slots that lie in `span` whole; their bytes, at most 2^64 - 1.
    pub(super) fn remove_within(&mut self, span: Span) -> u64 {
        let gone = self.slots.extract_if(span.start()..=span.last(), |_, slot| span.covers(&slot.span));
        let mut bytes = 0u64;
        for (_, slot) in gone {
            self.locked -= slot.locked();
            bytes = bytes.saturating_add(slot.span.len().unwrap_or(u64::MAX));
        }
        bytes
    }

    /// All of them, by rising IOVA.
    pub fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values()
    }
}
