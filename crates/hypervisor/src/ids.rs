//! Numbers given out and taken back: GSIs and memory slots.
//!
//! Invariant: a number is either free, never used, or with exactly one holder.

use std::collections::BTreeSet;

/// A pool of the numbers `first..limit`; the lowest free one is given out first.
#[derive(Debug)]
pub(crate) struct IdPool {
    fresh: u32,
    limit: u32,
    returned: BTreeSet<u32>,
}

impl IdPool {
    /// All of `first..limit` (`limit` excluded) free.
    pub(crate) fn new(first: u32, limit: u32) -> IdPool {
        IdPool { fresh: first, limit, returned: BTreeSet::new() }
    }

    /// The lowest free number; `None` when all are out.
    pub(crate) fn take(&mut self) -> Option<u32> {
        if let Some(id) = self.returned.pop_first() {
            return Some(id);
        }
        let id = self.fresh;
        if id >= self.limit {
            return None;
        }
        self.fresh += 1;
        Some(id)
    }

    /// Takes `id` back; its holder must not use it any more.
    pub(crate) fn give(&mut self, id: u32) {
        debug_assert!(id < self.fresh, "number {id} was never given out");
        let new = self.returned.insert(id);
        debug_assert!(new, "number {id} was given back twice");
    }
}

#[cfg(test)]
mod tests;
