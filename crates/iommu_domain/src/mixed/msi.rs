//! Interrupt messages: a page for the doorbell before the interrupt is enabled, its address in the message afterwards.

use super::{DeviceId, Errno, Failure, MixedDomain, Reason};

/// What a device writes to raise an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// Where to.
    pub address: u64,
    /// What.
    pub data: u32,
}

impl Message {
    /// All ones: an interrupt that goes nowhere instead of into the wrong place.
    pub const POISON: Message = Message { address: u64::MAX, data: u32::MAX };
}

/// A message for a device, and what went wrong when it is poison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Composed {
    /// What to program.
    pub message: Message,
    /// Why it is poison. The letter told nobody: enabling interrupts succeeded, and none came.
    pub event: Option<Failure>,
}

impl MixedDomain {
    /// Sees to it that the device reaches the doorbell at `phys`, and returns where: its IOVA, or `phys` where interrupt writes are
    /// not translated. EOPNOTSUPP when the device is not attached; ENOMEM or EOVERFLOW when there is no room. To be asked when the
    /// interrupt is allocated, where a failure can still be reported.
    pub fn msi_prepare(&mut self, id: DeviceId, phys: u64) -> Result<u64, Failure> {
        let mask = match (self.state.attached.get(&id), self.rules.unattached) {
            (Some(device), _) => device.dma_mask,
            (None, None) => return Ok(phys),
            (None, Some(errno)) => return Err(Failure::new(errno, Reason::NotAttached(id))),
        };
        if !self.state.policy.translates() {
            return Ok(phys);
        }
        let low = self.config.msi_page - 1;
        let base = phys & !low;
        let iova = match self.reachable_page(id, base, mask) {
            Some(iova) => iova,
            None => self.place(base, mask)?,
        };
        let joined = self.state.pages.get(iova).is_some_and(|page| page.users.contains(&id));
        if !joined {
            self.state.pages.join(iova, base, id, !self.config.reclaim);
            self.changed();
        }
        Ok(iova | (phys & low))
    }

    /// The message for a device whose doorbell was prepared; poison otherwise. Never fails: the hardware wants a message.
    pub fn compose(&self, id: DeviceId, message: Message) -> Composed {
        if !self.state.policy.translates() {
            return Composed { message, event: None };
        }
        let low = self.config.msi_page - 1;
        match self.state.pages.prepared(id, message.address & !low) {
            Some(iova) => Composed {
                message: Message { address: iova | (message.address & low), ..message },
                event: None,
            },
            None => {
                let event = Failure::new(Errno::NoEnt, Reason::NotPrepared(message.address));
                Composed { message: Message::POISON, event: Some(event) }
            }
        }
    }

    /// Ends the device's use of the doorbell at `phys`. ENOENT when it is not attached or never prepared it.
    pub fn msi_release(&mut self, id: DeviceId, phys: u64) -> Result<(), Failure> {
        self.device(id)?;
        if !self.state.policy.translates() {
            return Ok(());
        }
        let base = phys & !(self.config.msi_page - 1);
        let missing = Failure::new(Errno::NoEnt, Reason::NotPrepared(phys));
        let iova = self.state.pages.prepared(id, base).ok_or(missing)?;
        self.state.pages.leave(iova, id);
        self.changed();
        Ok(())
    }

    /// A page of the doorbell that the device has, or can have.
    fn reachable_page(&self, id: DeviceId, base: u64, mask: u64) -> Option<u64> {
        let reaches = |iova: &u64| !self.rules.masks || self.page_span(*iova).last() <= mask;
        let pages = &self.state.pages;
        pages.prepared(id, base).or_else(|| pages.of(base).find(reaches))
    }
}
