//! Removing slots. Doorbell pages are never touched: they are not the user's.

use data_model::Span;

use super::rules::Bisect;
use super::{Errno, Failure, MixedDomain, Reason, UnmapRequest};

impl MixedDomain {
    /// Removes the slots in a range and returns their bytes; 0 and no error for a hole, except with IOAS. A range that cuts a
    /// slot is refused: atomically by type1; by iommufd after the slots below it are gone.
    pub fn unmap(&mut self, request: UnmapRequest) -> Result<u64, Failure> {
        let (iova, len) = (request.iova, request.len);
        if request.flags != 0 {
            return Err(Failure::new(self.rules.unknown_flag, Reason::UnknownFlag(request.flags)));
        }
        if request.all && self.rules.all_is_flag {
            let empty = iova == 0 && len == 0;
            return if empty { Ok(self.unmap_all()) } else { Err(inval(Reason::RangeWithAll)) };
        }
        if !self.rules.all_is_flag {
            if request.all || (iova == 0 && len == u64::MAX) {
                return Ok(self.unmap_all());
            }
            if iova == u64::MAX || len == u64::MAX {
                return Err(self.wraps(iova, len));
            }
        }
        if len == 0 {
            return Err(inval(Reason::Empty));
        }
        if self.rules.unmap_aligned {
            self.aligned(iova)?;
            self.aligned(len)?;
        }
        let span = Span::from_len(iova, len).ok_or(self.wraps(iova, len))?;
        self.unmap_span(span)
    }

    /// Removes all slots and returns their bytes. type1 before 6.18 counts a slot at the end of the address space and forgets it,
    /// and devices go on reaching it; sometimes, as its tree happens to stand, it removes nothing at all instead.
    pub fn unmap_all(&mut self) -> u64 {
        let left = self.state.slots.at(u64::MAX).filter(|_| self.config.loses_the_end);
        let bytes = self.state.slots.remove_within(Span::ALL);
        left.map(|slot| self.state.slots.insert(slot));
        if bytes > 0 {
            self.changed();
        }
        bytes
    }

    fn unmap_span(&mut self, span: Span) -> Result<u64, Failure> {
        let cut = self.state.slots.cut_by(span).map(|slot| slot.span);
        // type1 before 6.18 works out the end of a range as `iova + size`, which is 0 at the end of the address space: it sees no
        // slot that ends there, and every slot begins behind a range that does.
        let seen = |slot: &Span| !self.config.loses_the_end || slot.last() != u64::MAX;
        if let Some(slot) = cut.filter(seen) {
            let (errno, removed) = match self.rules.bisect {
                Bisect::Atomic => (Errno::Inval, 0),
                Bisect::Partial => (Errno::NoEnt, self.remove_below(span, slot)),
            };
            return Err(Failure::new(errno, Reason::Bisects { slot, removed }));
        }
        if self.config.loses_the_end && span.last() == u64::MAX {
            return Ok(0);
        }
        let bytes = self.state.slots.remove_within(span);
        if bytes > 0 {
            self.changed();
        } else if self.rules.hole_is_error {
            return Err(Failure::new(Errno::NoEnt, Reason::NothingMapped));
        }
        Ok(bytes)
    }

    /// What iommufd has removed when it comes to the slot that is cut.
    fn remove_below(&mut self, span: Span, cut: Span) -> u64 {
        let below = cut.start().checked_sub(1).and_then(|last| Span::new(span.start(), last));
        let bytes = below.map_or(0, |below| self.state.slots.remove_within(below));
        if bytes > 0 {
            self.changed();
        }
        bytes
    }
}

fn inval(reason: Reason) -> Failure {
    Failure::new(Errno::Inval, reason)
}
