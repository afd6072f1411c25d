//! The page sizes an IOMMU can map, one bit for each.
//!
//! Invariant: at least one bit is set, so there always is a granule.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Page sizes as a bit mask: bit `n` set means pages of `1 << n` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageMask(u64);

impl PageMask {
    /// The mask with these bits; `None` when no bit is set.
    pub const fn new(bits: u64) -> Option<PageMask> {
        if bits == 0 { None } else { Some(PageMask(bits)) }
    }

    /// The raw bits.
    pub const fn bits(&self) -> u64 {
        self.0
    }

    /// The smallest page in bytes: the alignment that every mapping keeps.
    pub const fn granule(&self) -> u64 {
        1 << self.0.trailing_zeros()
    }

    /// Only the smallest page: what a guest should see so that it sends the fewest MAPs.
    pub const fn granule_only(&self) -> PageMask {
        PageMask(self.granule())
    }

    /// Sizes that fit both: the coarser granule wins, larger sizes must be in both.
    pub fn common(&self, other: &PageMask) -> PageMask {
        let granule = self.granule().max(other.granule());
        PageMask((self.0 & other.0 & !(granule - 1)) | granule)
    }
}

impl fmt::Display for PageMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}
