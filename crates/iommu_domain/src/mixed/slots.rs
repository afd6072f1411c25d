//! The user's slots: disjoint, never merged, never split.
//!
//! They are the reservations too. The letter kept a second list of those, and let the two drift apart.
//!
//! A slot of plain memory is one entry of the packed [`Table`], 24 bytes; what such an entry cannot say is kept beside it. Invariant:
//! each slot is in the table, and an unusual one also in `unusual`.

use std::collections::BTreeMap;

use data_model::Span;

use super::{MIN_GRANULE, Target};
use crate::{Mapping, Perm, Table};

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
    table: Table,
    /// Slots that are not plain, by their first address.
    unusual: BTreeMap<u64, Slot>,
    /// Bytes of slots that do not count as locked memory.
    uncounted: u128,
}

impl Slot {
    /// Memory of piece 0, charged, unmarked, writable where it may be written: what an entry of the table says.
    fn plain(mapping: Mapping) -> Slot {
        Slot {
            span: mapping.iova,
            target: Target::Ram { backing: 0, offset: mapping.phys },
            perm: mapping.perm,
            tag: 0,
            writable: mapping.perm.write,
            charged: true,
        }
    }

    fn mapping(&self) -> Mapping {
        Mapping { iova: self.span, phys: self.target.start(), perm: self.perm }
    }

    pub(super) fn is_plain(&self) -> bool {
        let memory =
            matches!(self.target, Target::Ram { backing: 0, offset } if offset.is_multiple_of(MIN_GRANULE));
        memory && self.tag == 0 && self.charged && self.writable == self.perm.write
    }

    /// Bytes that count as locked memory.
    pub(super) fn locked(&self) -> u128 {
        let counts = self.charged && matches!(self.target, Target::Ram { .. });
        if counts { self.span.len_wide() } else { 0 }
    }

    fn uncounted(&self) -> u128 {
        self.span.len_wide() - self.locked()
    }
}

impl Slots {
    /// How many.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Bytes that count as locked memory while a device is attached.
    pub fn locked(&self) -> u128 {
        self.table.bytes() - self.uncounted
    }

    /// The slots as a table of mappings: where, offset or address of the first byte, what is permitted.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The slot that holds `iova`.
    pub fn at(&self, iova: u64) -> Option<Slot> {
        self.table.get(iova).map(|mapping| self.whole(mapping))
    }

    /// The highest slot that shares an address with `span`.
    pub fn overlapping(&self, span: Span) -> Option<Slot> {
        self.table.overlapping(span).map(|mapping| self.whole(mapping))
    }

    /// The slots that share an address with `span`, by rising IOVA.
    pub fn touching(&self, span: Span) -> impl Iterator<Item = Slot> + '_ {
        self.table.touching_rising(span).map(|mapping| self.whole(mapping))
    }

    /// The slot at either end of `span` that lies in it in part only.
    pub fn cut_by(&self, span: Span) -> Option<Slot> {
        self.table.cut_by(span).map(|mapping| self.whole(mapping))
    }

    /// Adds a slot that overlaps none; `false`, and nothing happens, when it does.
    pub(super) fn insert(&mut self, slot: Slot) -> bool {
        let free = self.table.insert(slot.mapping()).is_ok();
        if free && !slot.is_plain() {
            self.uncounted += slot.uncounted();
            self.unusual.insert(slot.span.start(), slot);
        }
        free
    }

    /// Removes the slots that lie in `span` whole; their bytes, at most 2^64 - 1.
    pub(super) fn remove_within(&mut self, span: Span) -> u64 {
        let before = self.table.bytes();
        if span == Span::ALL {
            // Gives back all its memory, too.
            *self = Slots::default();
        } else {
            self.table.remove(span);
        }
        if !self.unusual.is_empty() {
            let inside = |_: &u64, slot: &mut Slot| span.covers(&slot.span);
            let gone = self.unusual.extract_if(span.start()..=span.last(), inside);
            self.uncounted -= gone.map(|(_, slot)| slot.uncounted()).sum::<u128>();
        }
        u64::try_from(before - self.table.bytes()).unwrap_or(u64::MAX)
    }

    /// All of them, by rising IOVA.
    pub fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        self.table.iter().map(|mapping| self.whole(mapping))
    }

    /// Slots that an entry of the table does not describe in full.
    #[cfg(test)]
    pub(super) fn kept_beside(&self) -> usize {
        self.unusual.len()
    }

    /// All that is known of the slot behind an entry.
    fn whole(&self, mapping: Mapping) -> Slot {
        let unusual = || self.unusual.get(&mapping.iova.start()).copied();
        unusual().unwrap_or(Slot::plain(mapping))
    }
}
