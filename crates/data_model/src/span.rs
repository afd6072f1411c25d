//! A range of addresses: inclusive, never empty, total over `u64`.
//!
//! Invariant: `start <= last`. There is no exclusive end, so the last byte of the address space can be
//! expressed and no `end + 1` can overflow.

use core::fmt;

use serde::{Deserialize, Serialize};

/// An inclusive, never empty range of addresses in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    start: u64,
    last: u64,
}

impl Span {
    /// All of the address space.
    pub const ALL: Span = Span { start: 0, last: u64::MAX };

    /// The range from `start` to `last`, both included; `None` when they are reversed.
    pub const fn new(start: u64, last: u64) -> Option<Span> {
        if start <= last { Some(Span { start, last }) } else { None }
    }

    /// The `len` bytes from `start` on; `None` when `len` is 0 or the range would leave the address space.
    pub const fn from_len(start: u64, len: u64) -> Option<Span> {
        match len.checked_sub(1) {
            Some(more) => match start.checked_add(more) {
                Some(last) => Some(Span { start, last }),
                None => None,
            },
            None => None,
        }
    }

    /// First address of the range.
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// Last address of the range, which belongs to it.
    pub const fn last(&self) -> u64 {
        self.last
    }

    #[expect(clippy::len_without_is_empty, reason = "a span is never empty")]
    /// Number of bytes; `None` for the whole address space, whose size does not fit.
    pub const fn len(&self) -> Option<u64> {
        (self.last - self.start).checked_add(1)
    }

    /// Number of bytes, wide enough for every range.
    pub const fn len_wide(&self) -> u128 {
        (self.last - self.start) as u128 + 1
    }

    /// Whether `address` lies inside.
    pub const fn contains(&self, address: u64) -> bool {
        self.start <= address && address <= self.last
    }

    /// Whether all of `other` lies inside.
    pub const fn covers(&self, other: &Span) -> bool {
        self.start <= other.start && other.last <= self.last
    }

    /// Whether the two share an address.
    pub const fn overlaps(&self, other: &Span) -> bool {
        self.start <= other.last && other.start <= self.last
    }

    /// What both share.
    pub fn intersection(&self, other: &Span) -> Option<Span> {
        Span::new(self.start.max(other.start), self.last.min(other.last))
    }

    /// What is left of this range when `hole` is cut out: the part below and the part above.
    pub fn without(&self, hole: &Span) -> (Option<Span>, Option<Span>) {
        if !self.overlaps(hole) {
            return (Some(*self), None);
        }
        let below = hole.start.checked_sub(1).and_then(|last| Span::new(self.start, last));
        let above = hole.last.checked_add(1).and_then(|start| Span::new(start, self.last));
        (below, above)
    }

    /// Whether start and length are multiples of `granule`, a power of two.
    pub const fn is_aligned(&self, granule: u64) -> bool {
        let low = granule.wrapping_sub(1);
        self.start & low == 0 && self.last & low == low
    }

    /// The smallest `granule`-aligned range that covers this one; `granule` is a power of two.
    pub const fn align_outwards(&self, granule: u64) -> Span {
        let low = granule.wrapping_sub(1);
        Span { start: self.start & !low, last: self.last | low }
    }

    /// Offset of `address` from the start; `None` when it lies outside.
    pub const fn offset_of(&self, address: u64) -> Option<u64> {
        if self.contains(address) { Some(address - self.start) } else { None }
    }

    /// The address after the last; `None` at the end of the address space.
    pub const fn next(&self) -> Option<u64> {
        self.last.checked_add(1)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}-{:#x}", self.start, self.last)
    }
}

#[cfg(test)]
mod tests;
