//! Where an access of a device ends up.

use thiserror::Error;

use super::{DeviceId, MixedDomain, MsiPolicy, Target};

/// What a device does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reads.
    Read,
    /// Writes.
    Write,
}

/// Where an access ends up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Translation {
    /// At what a slot leads to, moved by the offset into the slot.
    Slot(Target),
    /// At a doorbell: an interrupt.
    Doorbell {
        /// Physical address written to.
        phys: u64,
    },
}

/// An access that ends up nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("{access:?} at {iova:#x} by device {device}: {kind}")]
pub struct Fault {
    /// Who.
    pub device: DeviceId,
    /// Where.
    pub iova: u64,
    /// What.
    pub access: Access,
    /// Why.
    pub kind: FaultKind,
}

/// Why an access ends up nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum FaultKind {
    /// The device is not attached.
    #[error("not attached")]
    NotAttached,
    /// Nothing is mapped there.
    #[error("nothing is mapped")]
    NoMapping,
    /// Mapped, but not for reading.
    #[error("not readable")]
    NotReadable,
    /// Mapped, but not for writing.
    #[error("not writable")]
    NotWritable,
}

impl MixedDomain {
    /// Where an access of one byte ends up.
    pub fn translate(&self, device: DeviceId, iova: u64, access: Access) -> Result<Translation, Fault> {
        let fault = |kind| Fault { device, iova, access, kind };
        let permit = |read: bool, write: bool, to: Translation| match access {
            Access::Read if !read => Err(fault(FaultKind::NotReadable)),
            Access::Write if !write => Err(fault(FaultKind::NotWritable)),
            _ => Ok(to),
        };
        if !self.state.attached.contains_key(&device) {
            return Err(fault(FaultKind::NotAttached));
        }
        if let MsiPolicy::Hw { regions } = &self.state.policy
            && regions.iter().any(|region| region.contains(iova))
        {
            return permit(false, true, Translation::Doorbell { phys: iova });
        }
        if let Some(slot) = self.state.slots.at(iova) {
            let into = iova - slot.span.start();
            return permit(slot.perm.read, slot.perm.write, Translation::Slot(slot.target.advanced(into)));
        }
        let low = self.config.msi_page - 1;
        match self.state.pages.get(iova & !low) {
            Some(page) => permit(
                self.rules.doorbell_reads,
                true,
                Translation::Doorbell { phys: page.phys | (iova & low) },
            ),
            None => Err(fault(FaultKind::NoMapping)),
        }
    }
}
