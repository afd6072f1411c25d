//! An ordered map from first address to entry, packed: short sorted blocks in a tree.
//!
//! A tree of single entries is half empty when keys rise or fall, as those of an address allocator do; a block that splits
//! where it grows stays full. Invariants: no block is empty; a block's key is at most its first entry's, and above every
//! entry of the block before it; two neighbours together hold more than half a block, so that nobody can make the
//! map keep many blocks of a few entries each.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

/// Entries of a block at most.
const BLOCK: usize = 32;
const HALF: usize = BLOCK / 2;

/// One entry; entries never overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// First address.
    pub start: u64,
    /// Last address.
    pub last: u64,
    /// What it leads to.
    pub target: u64,
}

/// The map.
#[derive(Default)]
pub(super) struct Packed {
    blocks: BTreeMap<u64, Vec<Entry>>,
    len: usize,
}

impl Packed {
    /// Entries.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The last entry that starts at `at` or before.
    pub(super) fn at_or_before(&self, at: u64) -> Option<&Entry> {
        self.falling(at).next()
    }

    /// Entries that start at `at` or before, the last one first.
    pub(super) fn falling(&self, at: u64) -> impl Iterator<Item = &Entry> {
        // Only in the first of these blocks may something start later.
        let entries = self.blocks.range(..=at).rev().map(move |(_, block)| &block[..before(block, at)]);
        entries.flat_map(|block| block.iter().rev())
    }

    /// Entries that start in the range, the first one first.
    pub(super) fn rising(&self, first: u64, last: u64) -> impl Iterator<Item = &Entry> {
        let key = self.key_of(first).unwrap_or(first);
        let entries = self.blocks.range(key..=last).flat_map(|(_, block)| block);
        entries.skip_while(move |entry| entry.start < first).take_while(move |entry| entry.start <= last)
    }

    /// All entries, the first one first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.blocks.values().flatten()
    }

    /// Adds an entry that overlaps none.
    pub(super) fn insert(&mut self, entry: Entry) {
        self.len += 1;
        let Some((&key, block)) = self.blocks.range_mut(..=entry.start).next_back() else {
            // The key 0 keeps the lowest block open for whatever comes below.
            self.blocks.insert(0, block_of(&[entry]));
            return self.settle(0);
        };
        let place = before(block, entry.start);
        if block.len() < BLOCK {
            return block.insert(place, entry);
        }
        match place {
            0 => {
                let upper = std::mem::replace(block, block_of(&[entry]));
                self.add(upper);
            }
            BLOCK => self.add(block_of(&[entry])),
            _ => {
                let mut upper = block_of(&block[HALF..]);
                block.truncate(HALF);
                if place > HALF {
                    upper.insert(place - HALF, entry);
                } else {
                    block.insert(place, entry);
                }
                self.add(upper);
            }
        }
        self.settle(if place == BLOCK { entry.start } else { key });
    }

    /// Removes the entries inside the range, and shows each.
    pub(super) fn remove(&mut self, first: u64, last: u64, mut gone: impl FnMut(&Entry)) {
        let key = self.key_of(first).unwrap_or(first);
        let mut removed = 0;
        let take = |_: &u64, block: &mut Vec<Entry>| {
            let from = block.partition_point(|entry| entry.start < first);
            let to = block.partition_point(|entry| entry.last <= last);
            if from < to {
                removed += to - from;
                block.drain(from..to).for_each(|entry| gone(&entry));
            }
            block.is_empty()
        };
        self.blocks.extract_if(key..=last, take).for_each(drop);
        self.len -= removed;
        for at in [first, last] {
            if let Some(key) = self.key_of(at) {
                self.settle(key);
            }
        }
    }

    /// The key of the block in which an entry with this start would be.
    fn key_of(&self, start: u64) -> Option<u64> {
        self.blocks.range(..=start).next_back().map(|(key, _)| *key)
    }

    fn add(&mut self, block: Vec<Entry>) {
        if let Some(first) = block.first() {
            self.blocks.insert(first.start, block);
        }
    }

    /// Joins a block that has become small with its neighbours.
    fn settle(&mut self, key: u64) {
        if self.blocks.get(&key).is_none_or(|block| block.len() > HALF) {
            return;
        }
        self.join(key);
        if let Some((&before, _)) = self.blocks.range(..key).next_back() {
            self.join(before);
        }
    }

    /// Joins a block with the next one when both fit into half a block.
    fn join(&mut self, key: u64) {
        let Some((&next, after)) = self.blocks.range((Excluded(key), Unbounded)).next() else { return };
        let len = after.len();
        let Some(block) = self.blocks.get(&key).filter(|block| block.len() + len <= HALF) else { return };
        debug_assert!(!block.is_empty());
        if let Some(after) = self.blocks.remove(&next)
            && let Some(block) = self.blocks.get_mut(&key)
        {
            block.extend(after);
        }
    }
}

/// How many of a block's entries start at `at` or before.
fn before(block: &[Entry], at: u64) -> usize {
    block.partition_point(|entry| entry.start <= at)
}

fn block_of(entries: &[Entry]) -> Vec<Entry> {
    let mut block = Vec::with_capacity(BLOCK);
    block.extend_from_slice(entries);
    block
}

#[cfg(test)]
mod tests;
