//! Where a new doorbell page goes. The answer depends on configuration, slots, pages, regions and the device's mask, and
//! on nothing else.
//!
//! The letter's rule: the highest free page, as the kernel's allocator has it (its shortcut for 32-bit devices left out).
//! Mainline's rule: the next index of the window.

use data_model::Span;

use super::{Errno, Failure, MixedDomain, MsiPolicy, Reason};

impl MixedDomain {
    /// The IOVA of a new page for the doorbell page at `phys`, in reach of `mask`.
    pub(super) fn place(&self, phys: u64, mask: u64) -> Result<u64, Failure> {
        match self.state.policy {
            MsiPolicy::FixedType1 { window, kernel_bug_unbounded } => {
                let next = match self.state.pages.highest() {
                    Some(iova) => iova.checked_add(self.config.msi_page),
                    None => Some(window.start()),
                };
                let full = Failure::new(Errno::NoMem, Reason::WindowFull(window));
                let inside = |iova: &u64| kernel_bug_unbounded || window.covers(&self.page_span(*iova));
                self.accept_fixed(next.filter(inside).ok_or(full)?, mask)
            }
            MsiPolicy::FixedIommufd { window } => {
                let accept = |index: u64| {
                    let offset = index.checked_mul(self.config.msi_page);
                    let iova = offset.and_then(|offset| window.start().checked_add(offset));
                    let inside = |iova: &u64| window.covers(&self.page_span(*iova));
                    let full = Failure::new(Errno::Overflow, Reason::WindowFull(window));
                    self.accept_fixed(iova.filter(inside).ok_or(full)?, mask)
                };
                let index = self.context.index(window.start(), phys, accept);
                let full = || Failure::new(Errno::Overflow, Reason::ContextFull(self.context.len()));
                index.unwrap_or_else(|| Err(full()))
            }
            _ => self.highest_free(mask),
        }
    }

    /// Whether a page that a rule put somewhere can be there.
    fn accept_fixed(&self, iova: u64, mask: u64) -> Result<u64, Failure> {
        let fail = |reason| Err(Failure::new(Errno::NoMem, reason));
        // Past the last whole page of the address space, `page_span` would be everything.
        let Some(page) = Span::from_len(iova, self.config.msi_page) else {
            return fail(Reason::NoHole(mask));
        };
        if let Some(reason) = self.obstacle(page) {
            return fail(reason);
        }
        if self.rules.masks && page.last() > mask {
            return fail(Reason::AboveMask { iova, mask });
        }
        Ok(iova)
    }

    /// What keeps a page from being at `page`.
    pub(super) fn obstacle(&self, page: Span) -> Option<Reason> {
        let aperture = self.aperture().unwrap_or(self.config.aperture);
        if !aperture.covers(&page) {
            return Some(Reason::OutsideAperture { span: page, aperture });
        }
        let slot = self.state.slots.overlapping(page).map(|slot| Reason::Slot(slot.span));
        let other = || self.page_in(page).map(|iova| Reason::MsiPage { iova });
        let mut regions = self.regions().filter(|region| region.kind.blocks_pages());
        let region = || regions.find(|region| region.span.overlaps(&page)).map(Reason::Reserved);
        slot.or_else(other).or_else(region)
    }

    /// Goes down from the top; each obstacle moves the search below it, so it ends after as many steps as there are.
    fn highest_free(&self, mask: u64) -> Result<u64, Failure> {
        let size = self.config.msi_page;
        let aperture = self.aperture().unwrap_or(self.config.aperture);
        let window = self.state.policy.window().unwrap_or(aperture);
        let floor = aperture.start().max(window.start()).max(size);
        let top = aperture.last().min(window.last()).min(mask);
        let full = Failure::new(Errno::NoMem, Reason::NoHole(top));
        let mut limit = Some(top);
        while let Some(last) = limit {
            let start = last.checked_sub(size - 1).map(|start| start & !(size - 1));
            let Some(start) = start.filter(|start| *start >= floor) else { break };
            let page = self.page_span(start);
            let Some(below) = self.lowest_start_in(page) else { return Ok(start) };
            limit = below.checked_sub(1);
        }
        Err(full)
    }

    /// Where the lowest of the obstacles in `page` starts that the search meets first; `None` when the page is free.
    fn lowest_start_in(&self, page: Span) -> Option<u64> {
        let slot = self.state.slots.overlapping(page).map(|slot| slot.span.start());
        let other = self.page_in(page);
        let regions = self.regions().filter(|region| region.kind.blocks_pages());
        let region = regions.filter(|region| region.span.overlaps(&page)).map(|region| region.span.start());
        slot.into_iter().chain(other).chain(region).min()
    }
}
