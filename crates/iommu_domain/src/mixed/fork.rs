//! Moving a device between domains without losing an interrupt: its doorbell pages are in the new domain, at the same
//! addresses, before the old one lets go.

use super::{Device, DeviceId, Errno, Failure, MixedDomain, MsiPolicy, Reason, assess};

/// A page in use: by whom, where, for which doorbell page.
type Use = (DeviceId, u64, u64);

impl MixedDomain {
    /// Moves a device, and every other member of its group that is attached here, into `other`. Nothing changes in either domain
    /// on error: EOPNOTSUPP with type1, which cannot move an open device, and between contexts; ENOENT when it is not attached;
    /// what [`attach`](MixedDomain::attach) to `other` says; EADDRINUSE when a page cannot be at the same address there; EINVAL
    /// when pages differ in size. iommufd 6.12 leaves the pages behind, so that interrupts are lost until they are prepared again.
    pub fn fork_into(&mut self, id: DeviceId, other: &mut MixedDomain) -> Result<(), Failure> {
        if !self.rules.moves || !other.rules.moves {
            return Err(Failure::new(Errno::OpNotSupp, Reason::NotOffered));
        }
        let group = self.device(id)?.group;
        let members = self.state.attached.values().filter(|device| device.group == group);
        let moving: Vec<Device> = members.cloned().collect();
        let used_by = |id| self.state.pages.used_by(id).map(move |(iova, phys)| (id, iova, phys));
        let uses: Vec<Use> =
            moving.iter().filter(|_| self.rules.carries).flat_map(|device| used_by(device.id)).collect();
        if !uses.is_empty() {
            self.same_pages(other)?;
        }
        other.can_receive(&moving, &uses)?;
        let ids: Vec<DeviceId> = moving.iter().map(|device| device.id).collect();
        other.receive(moving, &uses);
        ids.into_iter().try_for_each(|id| self.detach(id).map(drop))
    }

    /// Whether the pages of one domain mean the same in the other.
    fn same_pages(&self, other: &MixedDomain) -> Result<(), Failure> {
        let (here, there) = (&self.state.policy, &other.state.policy);
        let shared = |policy: &MsiPolicy| matches!(policy, MsiPolicy::FixedIommufd { .. });
        let strangers = (shared(here) || shared(there)) && !self.context.is(&other.context);
        if strangers || !there.translates() {
            return Err(Failure::new(Errno::OpNotSupp, Reason::NotOffered));
        }
        if self.config.msi_page != other.config.msi_page {
            let reason = Reason::PageSize(self.config.msi_page, other.config.msi_page);
            return Err(Failure::new(Errno::Inval, reason));
        }
        match there.window().filter(|_| there.is_fixed() && here.window() != there.window()) {
            Some(window) => Err(Failure::new(Errno::AddrInUse, Reason::Window(window))),
            None => Ok(()),
        }
    }

    fn can_receive(&self, moving: &[Device], uses: &[Use]) -> Result<(), Failure> {
        assess(self.config.isolated_msi, self.config.allow_unsafe)?;
        for device in moving {
            if self.state.attached.contains_key(&device.id) {
                return Err(Failure::new(Errno::Inval, Reason::Attached(device.id)));
            }
            self.accepts(device)?;
        }
        let mut apertures = moving.iter().map(|device| device.aperture);
        let common = apertures.try_fold(self.config.aperture, |common, span| common.intersection(&span));
        if common.is_none() {
            let span = moving.first().map_or(self.config.aperture, |device| device.aperture);
            let reason = Reason::OutsideAperture { span, aperture: self.config.aperture };
            return Err(Failure::new(self.rules.conflict, reason));
        }
        if self.rules.lazy && self.state.attached.is_empty() {
            self.check_all_memory()?;
        }
        uses.iter().try_for_each(|(_, iova, phys)| self.can_hold(*iova, *phys))
    }

    /// Whether a doorbell page can be at `iova` here too. With the devices that move it agrees already: they were attached where it is.
    fn can_hold(&self, iova: u64, phys: u64) -> Result<(), Failure> {
        let taken = |reason| Err(Failure::new(Errno::AddrInUse, reason));
        let page = self.page_span(iova);
        if self.state.pages.get(iova).is_some_and(|there| there.phys == phys) {
            return Ok(());
        }
        let outside = |window: &data_model::Span| !self.state.policy.is_fixed() && !window.covers(&page);
        if let Some(window) = self.state.policy.window().filter(outside) {
            return taken(Reason::BadWindow(window));
        }
        self.obstacle(page).map_or(Ok(()), taken)
    }

    fn receive(&mut self, moving: Vec<Device>, uses: &[Use]) {
        for device in moving {
            self.state.attached.insert(device.id, device);
        }
        for (id, iova, phys) in uses {
            self.state.pages.join(*iova, *phys, *id, !self.config.reclaim);
        }
        self.state.standing = true;
        self.changed();
    }
}
