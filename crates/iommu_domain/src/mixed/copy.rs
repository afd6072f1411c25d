//! `IOAS_COPY`: slots of one domain mapped into another without a second look at the memory and without charging it again.

use data_model::Span;

use super::rules::Check;
use super::{Errno, Failure, MapRequest, MixedDomain, Reason, Slot};
use crate::Perm;

/// A contiguous run of what a domain maps, cut out for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    parts: Vec<Slot>,
    len: u64,
}

impl MixedDomain {
    /// What `len` bytes from `iova` lead to. EOPNOTSUPP but for IOAS; EINVAL or EOVERFLOW for a range that is none; ENOENT when it is
    /// not mapped without a hole.
    pub fn slice(&self, iova: u64, len: u64) -> Result<Slice, Failure> {
        if !self.rules.copies {
            return Err(Failure::new(Errno::OpNotSupp, Reason::NotOffered));
        }
        if len == 0 {
            return Err(Failure::new(Errno::Inval, Reason::Empty));
        }
        let span = Span::from_len(iova, len).ok_or(self.wraps(iova, len))?;
        let mut parts = Vec::new();
        let mut next = Some(span.start());
        for slot in self.state.slots.touching(span) {
            let Some(part) = slot.span.intersection(&span).filter(|part| Some(part.start()) == next) else {
                break;
            };
            let target = slot.target.advanced(part.start() - slot.span.start());
            parts.push(Slot { span: part, target, charged: false, ..slot });
            next = part.next();
        }
        match parts.last() {
            Some(part) if part.span.last() == span.last() => Ok(Slice { parts, len }),
            _ => Err(Failure::new(Errno::NoEnt, Reason::NothingMapped)),
        }
    }

    /// Maps a slice at `iova`, one slot for each that it came from. Errors as [`map`](MixedDomain::map), and EPERM when `perm`
    /// writes what was mapped read-only.
    pub fn copy(&mut self, slice: &Slice, iova: u64, perm: Perm) -> Result<(), Failure> {
        if !self.rules.copies {
            return Err(Failure::new(Errno::OpNotSupp, Reason::NotOffered));
        }
        let Some(first) = slice.parts.first() else { return Err(Failure::new(Errno::Inval, Reason::Empty)) };
        let whole = MapRequest::new(iova, slice.len, first.target, perm);
        let order: Vec<Check> = self
            .rules
            .order
            .iter()
            .copied()
            .filter(|c| !matches!(c, Check::TargetWrap | Check::TargetAligned | Check::Memory))
            .collect();
        let to = self.check_map(&whole, &order)?;
        let from = first.span.start();
        for part in &slice.parts {
            if perm.write && !part.writable {
                return Err(Failure::new(Errno::Perm, Reason::NoPermission));
            }
            self.aligned(part.target.start())?;
            self.aligned(part.span.start() - from)?;
        }
        for part in &slice.parts {
            let offset = part.span.start() - from;
            let len = part.span.len().unwrap_or(u64::MAX);
            let span = to.start().checked_add(offset).and_then(|start| Span::from_len(start, len));
            let span = span.ok_or(self.wraps(iova, slice.len))?;
            self.insert_slot(Slot { span, perm, ..*part })?;
        }
        Ok(())
    }
}
