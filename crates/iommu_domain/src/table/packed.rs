//! An ordered map from first address to entry, packed: short sorted blocks, in a list that is sorted by where they begin.
//!
//! A tree of single entries is half empty when keys rise or fall, as those of an address allocator do; a block that splits
//! where it grows stays full. A look-up halves two arrays. Invariants: no block is empty, unless it is the only one; two neighbours together hold more
//! than half a block, so that nobody can make the map keep many blocks of a few entries each.

use std::hash::{Hash, Hasher};

/// Entries of a block at most.
const BLOCK: usize = 64;
const HALF: usize = BLOCK / 2;

/// One entry; entries never overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Where each block begins.
    firsts: Vec<u64>,
    blocks: Vec<Vec<Entry>>,
    len: usize,
}

impl Packed {
    /// Entries.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The last entry that starts at `at` or before.
    pub(super) fn at_or_before(&self, at: u64) -> Option<&Entry> {
        let block = self.blocks.get(self.find(at)?)?;
        block.get(before(block, at).checked_sub(1)?)
    }

    /// Entries that start at `at` or before, the last one first.
    pub(super) fn falling(&self, at: u64) -> impl Iterator<Item = &Entry> {
        let blocks = self.find(at).map_or(0, |index| index + 1);
        let entries = self.blocks.iter().take(blocks).rev().flat_map(|block| block.iter().rev());
        entries.skip_while(move |entry| entry.start > at)
    }

    /// Entries that start in the range, the first one first.
    pub(super) fn rising(&self, first: u64, last: u64) -> impl Iterator<Item = &Entry> {
        let entries = self.blocks.iter().skip(self.find(first).unwrap_or(0)).flatten();
        entries.skip_while(move |entry| entry.start < first).take_while(move |entry| entry.start <= last)
    }

    /// All entries, the first one first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.blocks.iter().flatten()
    }

    /// Adds an entry; refused, with the one in the way, when it shares an address with one. One search does for both: where
    /// nothing is in the way, the last entry that starts in time is the one before.
    pub(super) fn insert(&mut self, entry: Entry) -> Result<(), Entry> {
        let index = self.find(entry.last).unwrap_or(0);
        let Some(block) = self.blocks.get_mut(index) else {
            self.len += 1;
            self.add(0, block_of(&[entry]));
            return Ok(());
        };
        let place = before(block, entry.last);
        let there = place.checked_sub(1).and_then(|place| block.get(place));
        if let Some(there) = there.filter(|there| there.last >= entry.start) {
            return Err(*there);
        }
        self.len += 1;
        if block.len() < BLOCK {
            block.insert(place, entry);
            if place == 0 {
                self.note_first(index);
            }
        } else {
            self.insert_in_full(index, place, entry);
        }
        Ok(())
    }

    #[cold]
    fn insert_in_full(&mut self, index: usize, place: usize, entry: Entry) {
        match (place, self.blocks.get_mut(index)) {
            (1..BLOCK, Some(block)) => {
                let mut upper = block_of(&block[HALF..]);
                block.truncate(HALF);
                if place > HALF {
                    upper.insert(place - HALF, entry);
                } else {
                    block.insert(place, entry);
                }
                self.add(index + 1, upper);
            }
            _ => self.add(index + usize::from(place == BLOCK), block_of(&[entry])),
        }
        self.settle(index + usize::from(place == BLOCK));
    }

    /// Removes the entry that is exactly this range; whether there is one. It is shown before.
    fn remove_exact(&mut self, first: u64, last: u64, gone: &mut impl FnMut(&Entry)) -> bool {
        let Some(index) = self.find(first) else { return false };
        let Some(block) = self.blocks.get_mut(index) else { return false };
        let Some(place) = before(block, first).checked_sub(1) else { return false };
        // A block that becomes empty has an end of its own.
        if block.len() == 1 || block.get(place).is_none_or(|it| (it.start, it.last) != (first, last)) {
            return false;
        }
        gone(&block.remove(place));
        self.len -= 1;
        if place == 0 {
            self.note_first(index);
        }
        self.settle(index);
        true
    }

    /// Removes the entries inside the range, and shows each.
    pub(super) fn remove(&mut self, first: u64, last: u64, mut gone: impl FnMut(&Entry)) {
        if self.remove_exact(first, last, &mut gone) {
            return;
        }
        let begin = self.find(first).unwrap_or(0);
        let mut empty = 0..0;
        let mut index = begin;
        while self.firsts.get(index).is_some_and(|start| *start <= last) {
            let block = &mut self.blocks[index];
            let from = block.partition_point(|entry| entry.start < first);
            let to = block.partition_point(|entry| entry.last <= last);
            if from < to {
                self.len -= to - from;
                block.drain(from..to).for_each(|entry| gone(&entry));
            }
            if block.is_empty() {
                // Those that are left lie before and after: the empty ones stand in a row.
                empty = if empty.is_empty() { index..index + 1 } else { empty.start..index + 1 };
            } else {
                self.note_first(index);
            }
            index += 1;
        }
        if empty.len() == self.blocks.len() {
            // A map that is emptied and filled in turn need not allocate each time.
            empty.start += usize::from(!empty.is_empty());
        }
        if !empty.is_empty() {
            self.blocks.drain(empty.clone());
            self.firsts.drain(empty);
        }
        self.settle(begin + 1);
        self.settle(begin);
    }

    /// The block in which the last entry is that starts at `at` or before.
    fn find(&self, at: u64) -> Option<usize> {
        self.firsts.partition_point(|first| *first <= at).checked_sub(1)
    }

    fn add(&mut self, index: usize, block: Vec<Entry>) {
        self.firsts.insert(index, 0);
        self.blocks.insert(index, block);
        self.note_first(index);
    }

    fn note_first(&mut self, index: usize) {
        let entry = self.blocks.get(index).and_then(|block| block.first());
        if let (Some(first), Some(entry)) = (self.firsts.get_mut(index), entry) {
            *first = entry.start;
        }
    }

    /// Joins a block that has become small with its neighbours.
    fn settle(&mut self, index: usize) {
        if self.blocks.get(index).is_none_or(|block| block.len() > HALF) {
            return;
        }
        self.join(index);
        if let Some(before) = index.checked_sub(1) {
            self.join(before);
        }
    }

    /// Joins a block with the next one when both fit into half a block.
    fn join(&mut self, index: usize) {
        let Some([block, after]) = self.blocks.get_mut(index..).and_then(|blocks| blocks.first_chunk_mut())
        else {
            return;
        };
        if block.len() + after.len() <= HALF {
            block.append(after);
            self.blocks.remove(index + 1);
            self.firsts.remove(index + 1);
        }
    }
}

/// Blocks of a copy are as large as all are: they grow in place.
impl Clone for Packed {
    fn clone(&self) -> Packed {
        let blocks = self.blocks.iter().map(|block| block_of(block)).collect();
        Packed { firsts: self.firsts.clone(), blocks, len: self.len }
    }
}

/// Which blocks the entries lie in is nobody's business.
impl PartialEq for Packed {
    fn eq(&self, other: &Packed) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl Eq for Packed {}

impl Hash for Packed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len.hash(state);
        self.iter().for_each(|entry| entry.hash(state));
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
