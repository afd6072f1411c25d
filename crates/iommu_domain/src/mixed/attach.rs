//! Devices come and go. Whether one fits is settled before anything changes.

use data_model::Span;

use super::domain::subtract;
use super::{Device, DeviceId, Errno, Failure, MixedDomain, Reason, Safety, Slot, assess};

/// What an attachment did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The verdict on its interrupts.
    pub safety: Safety,
    /// What may not be mapped any more, though it could before.
    pub lost: Vec<Span>,
}

impl MixedDomain {
    /// Attaches a device. EINVAL when it is attached already or, like EADDRINUSE with iommufd, when a slot lies where the device
    /// cannot have one; EADDRINUSE when a doorbell page does; EPERM when interrupts are not isolated. With iommufd also what
    /// memory that was mapped before says now.
    pub fn attach(&mut self, device: Device) -> Result<Attached, Failure> {
        if self.state.attached.contains_key(&device.id) {
            return Err(Failure::new(Errno::Inval, Reason::Attached(device.id)));
        }
        let assessed = assess(self.config.isolated_msi, self.config.allow_unsafe);
        if !self.rules.safety_last {
            assessed?;
        }
        self.accepts(&device)?;
        let safety = assessed?;
        if self.rules.lazy && self.state.attached.is_empty() {
            self.check_all_memory()?;
        }
        let before = self.ranges();
        self.state.attached.insert(device.id, device);
        self.state.standing = true;
        self.changed();
        let lost = self.ranges().iter().fold(before, |lost, kept| subtract(&lost, *kept));
        Ok(Attached { safety, lost })
    }

    /// Detaches a device and ends its use of pages. The last one to leave a type1 container takes all slots with it; their bytes
    /// are returned. ENOENT when it is not attached.
    pub fn detach(&mut self, id: DeviceId) -> Result<u64, Failure> {
        self.device(id)?;
        let used: Vec<_> = self.state.pages.used_by(id).collect();
        for (iova, _) in used {
            self.state.pages.leave(iova, id);
        }
        self.state.attached.remove(&id);
        self.changed();
        let empties = self.rules.last_detach_unmaps && self.state.attached.is_empty();
        Ok(if empties { self.unmap_all() } else { 0 })
    }

    /// Whether slots and pages lie where the device can have them.
    pub(super) fn accepts(&self, device: &Device) -> Result<(), Failure> {
        let conflict = self.rules.conflict;
        let Some(aperture) = self.aperture().and_then(|common| common.intersection(&device.aperture)) else {
            let reason = Reason::OutsideAperture { span: device.aperture, aperture: self.config.aperture };
            return Err(Failure::new(conflict, reason));
        };
        let outside = |slot: &Slot| !aperture.covers(&slot.span);
        if let Some(slot) = self.state.slots.iter().find(outside) {
            return Err(Failure::new(conflict, Reason::Slot(slot.span)));
        }
        let mut pages = self.state.pages.iter();
        if let Some((iova, _)) = pages.find(|(iova, _)| !aperture.covers(&self.page_span(*iova))) {
            return Err(Failure::new(Errno::AddrInUse, Reason::MsiPage { iova }));
        }
        for region in device.regions() {
            let slot = self.state.slots.overlapping(region.span).filter(|_| region.kind.blocks_slots());
            if let Some(slot) = slot {
                return Err(Failure::new(conflict, Reason::Slot(slot.span)));
            }
            if let Some(iova) = self.page_in(region.span).filter(|_| region.kind.blocks_pages()) {
                return Err(Failure::new(Errno::AddrInUse, Reason::MsiPage { iova }));
            }
        }
        Ok(())
    }
}
