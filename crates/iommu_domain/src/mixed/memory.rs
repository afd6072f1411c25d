//! What lies behind slots: whether there is memory, and how much of it may be locked.
//!
//! type1 looks when it maps. iommufd looks when both a slot and a device are there, whichever came last.

use data_model::Span;

use super::{Errno, Failure, MixedDomain, Reason, Slot, Target};
use crate::Perm;

impl MixedDomain {
    /// Whether a slot's target exists and may be locked on top of `locked` bytes.
    pub(super) fn check_memory(&self, slot: &Slot, locked: u128) -> Result<(), Failure> {
        if self.rules.lazy && self.state.attached.is_empty() {
            return Ok(());
        }
        self.check_slot(slot, locked).map(drop)
    }

    /// The same for all slots at once: the first device has come.
    pub(super) fn check_all_memory(&self) -> Result<(), Failure> {
        self.state.slots.iter().try_fold(0, |locked, slot| self.check_slot(&slot, locked)).map(drop)
    }

    /// The bytes locked afterwards.
    fn check_slot(&self, slot: &Slot, locked: u128) -> Result<u128, Failure> {
        self.check_target(slot.target, slot.span, slot.perm)?;
        let sum = locked + slot.locked();
        match self.config.lock_limit.filter(|_| self.rules.lock_limit) {
            Some(limit) if slot.locked() > 0 && sum > u128::from(limit) => {
                Err(Failure::new(Errno::NoMem, Reason::LockLimit(limit)))
            }
            _ => Ok(sum),
        }
    }

    fn check_target(&self, target: Target, span: Span, perm: Perm) -> Result<(), Failure> {
        let exists = match (target, &self.config.backings) {
            (Target::Mmio { .. }, _) => self.rules.mmio,
            (Target::Ram { .. }, None) => true,
            (Target::Ram { backing, offset }, Some(backings)) => {
                let end = u128::from(offset) + span.len_wide();
                let there = backings.get(&backing);
                there.is_some_and(|there| end <= u128::from(there.len) && (there.writable || !perm.write))
            }
        };
        if exists { Ok(()) } else { Err(Failure::new(Errno::Fault, Reason::NoMemory(target.start()))) }
    }
}
