//! Requests that the product's own calls cannot even put into words: nothing to map, ranges past the end of everything,
//! memory that does not exist, flags that nobody knows, "all" with a range.

use iommu_domain::mixed::model::TraceOp;
use iommu_domain::mixed::{MapRequest, Target, UnmapRequest};
use vfio::NOWHERE;

use super::Trace;

impl Trace {
    /// One such request.
    pub(super) fn told(&mut self) -> TraceOp {
        if self.random.once_in(3) {
            TraceOp::UnmapAsTold(self.told_unmap())
        } else {
            TraceOp::MapAsTold(self.told_map())
        }
    }

    fn told_map(&mut self) -> MapRequest {
        let granule = self.granule;
        let pages = 1 + self.random.below(4);
        let inside = self.random.below(self.pages - pages) * granule;
        let nowhere = NOWHERE.start + self.random.below(1 << 20) * granule + self.odd();
        let (iova, len, offset) = match self.random.below(6) {
            0 => (self.address(), 0, inside),
            1 => ((self.random.below(pages) * granule).wrapping_neg(), pages * granule, inside),
            2 => (self.address(), pages * granule + self.odd(), nowhere),
            3 => (self.address(), granule << self.random.below(52), nowhere),
            4 => (self.address(), self.most(), NOWHERE.end - granule),
            _ => (self.address(), pages * granule, inside),
        };
        let perm = self.perm();
        let target = Target::Ram { backing: 0, offset };
        MapRequest { flags: self.unknown_flag(), ..MapRequest::new(iova, len, target, perm) }
    }

    fn told_unmap(&mut self) -> UnmapRequest {
        let (iova, len) = match self.random.below(4) {
            0 => (self.address(), 0),
            1 => ((self.random.below(4) * self.granule).wrapping_neg(), self.most()),
            2 => (0, 0),
            _ => (self.address(), self.granule),
        };
        let all = self.random.once_in(3);
        UnmapRequest { iova, len, all, flags: self.unknown_flag() }
    }

    /// The largest sizes there are, on the granule and off it.
    fn most(&mut self) -> u64 {
        let sizes = [u64::MAX, u64::MAX - (self.granule - 1), 1 << 63];
        sizes[self.random.below(3) as usize]
    }

    /// One request in three has a flag that no kernel knows.
    fn unknown_flag(&mut self) -> u32 {
        if self.random.once_in(3) { 1 << (3 + self.random.below(29)) } else { 0 }
    }
}
