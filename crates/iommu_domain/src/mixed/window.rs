//! Choosing the window before first use: the shape of `SW_MSI_START` and `SW_MSI_SIZE`, which no kernel has yet.

use data_model::Span;

use super::{Errno, Failure, MixedDomain, Reason};

impl MixedDomain {
    /// Puts the window for doorbells at `window`; the letter's holes become a published window. EOPNOTSUPP where there are no pages;
    /// EBUSY once a device was attached or the ranges were published; EINVAL when it is not made of doorbell pages inside the
    /// aperture and past address 0; EADDRINUSE over a slot or a reserved region.
    pub fn set_window(&mut self, window: Span) -> Result<(), Failure> {
        let policy = self.state.policy.with_window(window);
        let policy = policy.ok_or(Failure::new(Errno::OpNotSupp, Reason::NotOffered))?;
        if self.state.standing || !self.state.pages.is_empty() || !self.state.attached.is_empty() {
            return Err(Failure::new(Errno::Busy, Reason::WindowStands));
        }
        if !self.config.fits(window) {
            return Err(Failure::new(Errno::Inval, Reason::BadWindow(window)));
        }
        let taken = |reason| Err(Failure::new(Errno::AddrInUse, reason));
        if let Some(slot) = self.state.slots.overlapping(window) {
            return taken(Reason::Slot(slot.span));
        }
        let mut regions = self.regions().filter(|region| region.kind.blocks_pages());
        if let Some(region) = regions.find(|region| region.span.overlaps(&window)) {
            return taken(Reason::Reserved(region));
        }
        drop(regions);
        if self.state.policy != policy {
            self.state.policy = policy;
            self.changed();
        }
        Ok(())
    }
}
