//! Adding a slot: the personality's checks in the personality's order, then all of it or nothing.
//!
//! The letter reserved first and looked afterwards, so that a refused mapping could release a doorbell page's
//! reservation, and a large one could swallow the page. Here nothing changes before every check has passed.

use data_model::Span;

use super::rules::Check;
use super::{Errno, Failure, MapRequest, MixedDomain, Reason, Slot};
use crate::Perm;

impl MixedDomain {
    /// Adds a slot.
    pub fn map(&mut self, request: MapRequest) -> Result<(), Failure> {
        let span = self.check_map(&request, self.rules.order)?;
        let slot = slot_of(&request, span);
        self.insert_slot(slot)
    }

    /// Runs the checks; the range when all are passed.
    pub(super) fn check_map(&self, request: &MapRequest, order: &[Check]) -> Result<Span, Failure> {
        order.iter().try_for_each(|check| self.check(*check, request))?;
        request.span().ok_or(self.wraps(request.iova, request.len))
    }

    /// The last word on overlap is the container's own.
    pub(super) fn insert_slot(&mut self, slot: Slot) -> Result<(), Failure> {
        if !self.state.slots.insert(slot) {
            return Err(Failure::new(Errno::Exist, Reason::Slot(slot.span)));
        }
        self.changed();
        Ok(())
    }

    pub(super) fn wraps(&self, start: u64, len: u64) -> Failure {
        Failure::new(self.rules.wrap, Reason::Wraps { start, len })
    }

    fn check(&self, check: Check, request: &MapRequest) -> Result<(), Failure> {
        let (iova, len, target) = (request.iova, request.len, request.target.start());
        let inval = |reason| Failure::new(Errno::Inval, reason);
        match check {
            Check::Flags => refuse(request.flags != 0, || {
                Failure::new(self.rules.unknown_flag, Reason::UnknownFlag(request.flags))
            }),
            Check::Extreme => refuse(iova == u64::MAX || len == u64::MAX, || self.wraps(iova, len)),
            Check::Length => refuse(len == 0, || inval(Reason::Empty)),
            Check::Perm => refuse(request.perm == Perm::NONE, || inval(Reason::NoPermission)),
            Check::LenAligned => self.aligned(len),
            Check::IovaAligned => self.aligned(iova),
            Check::TargetAligned => self.aligned(target),
            Check::IovaWrap => refuse(Span::from_len(iova, len).is_none(), || self.wraps(iova, len)),
            Check::TargetWrap => {
                refuse(len != 0 && Span::from_len(target, len).is_none(), || self.wraps(target, len))
            }
            Check::Memory => {
                let slot = request.span().map(|span| slot_of(request, span));
                slot.map_or(Ok(()), |slot| self.check_memory(&slot, self.state.slots.locked()))
            }
            Check::Cap => self.check_cap(),
            Check::Aperture | Check::Reserved | Check::Slot | Check::Page => {
                request.span().map_or(Ok(()), |span| self.check_place(check, span))
            }
        }
    }

    pub(super) fn aligned(&self, value: u64) -> Result<(), Failure> {
        let granule = self.config.granule;
        if value.is_multiple_of(granule) {
            return Ok(());
        }
        Err(Failure::new(Errno::Inval, Reason::Misaligned { value, granule }))
    }

    fn check_cap(&self) -> Result<(), Failure> {
        match self.config.max_slots {
            Some(cap) if self.state.slots.len() as u64 >= u64::from(cap) => {
                Err(Failure::new(Errno::NoSpc, Reason::TooManySlots(cap)))
            }
            _ => Ok(()),
        }
    }

    /// Whether the range is free of one kind of obstacle.
    fn check_place(&self, check: Check, span: Span) -> Result<(), Failure> {
        let found = match check {
            Check::Aperture => {
                let aperture = self.aperture().unwrap_or(self.config.aperture);
                (!aperture.covers(&span))
                    .then_some((Errno::Inval, Reason::OutsideAperture { span, aperture }))
            }
            Check::Reserved => self.reserved_in(span).map(|reason| (Errno::Inval, reason)),
            Check::Slot => {
                let there = self.state.slots.table().overlapping(span);
                there.map(|there| (Errno::Exist, Reason::Slot(there.iova)))
            }
            Check::Page => self.page_in(span).map(|iova| (self.rules.page, Reason::MsiPage { iova })),
            _ => None,
        };
        found.map_or(Ok(()), |(errno, reason)| Err(Failure::new(errno, reason)))
    }

    /// The first region or window that users must keep out of and that shares an address with `span`.
    pub(super) fn reserved_in(&self, span: Span) -> Option<Reason> {
        let kept = self.state.policy.kept().iter().find(|window| window.overlaps(&span));
        let mut regions = self.regions().filter(|region| region.kind.blocks_slots());
        let region = || regions.find(|region| region.span.overlaps(&span)).map(Reason::Reserved);
        kept.map(|window| Reason::Window(*window)).or_else(region)
    }
}

/// An error is made only where it is needed: a MAP passes a dozen checks.
fn refuse(when: bool, failure: impl FnOnce() -> Failure) -> Result<(), Failure> {
    if when { Err(failure()) } else { Ok(()) }
}

fn slot_of(request: &MapRequest, span: Span) -> Slot {
    let MapRequest { target, perm, tag, .. } = *request;
    Slot { span, target, perm, tag, writable: perm.write, charged: true }
}
