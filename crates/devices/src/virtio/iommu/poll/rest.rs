//! What a thread that looks does between two looks.
//!
//! A pause leaves the core to the thread beside it, which may be the guest's own. On an emulated processor it leaves the emulator's
//! loop instead and takes its big lock, for which the guest's disk waits. So a pause is measured first, and where it takes longer
//! than one of a processor, the thread does without.

use std::time::{Duration, Instant};

/// No processor's own takes longer: those take 10 to 150 cycles. An emulated one takes some 200 ns and more.
const LONGEST: Duration = Duration::from_nanos(100);
/// Pauses that are measured at a time, and how often: one time without an interruption is enough.
const PAUSES: u32 = 16;
const TIMES: u32 = 8;

/// A pause between two looks, or none.
#[derive(Clone, Copy)]
pub(in super::super) struct Rest {
    pauses: bool,
}

impl Rest {
    /// What is good on this machine.
    pub(super) fn here() -> Rest {
        let pauses = is_short(std::hint::spin_loop);
        log::debug!("virtio-iommu: {} between two looks", if pauses { "a pause" } else { "no pause" });
        Rest { pauses }
    }

    /// Nothing between two looks.
    pub(super) const NONE: Rest = Rest { pauses: false };

    /// Takes it.
    #[inline]
    pub(in super::super) fn take(self) {
        if self.pauses {
            std::hint::spin_loop();
        }
    }
}

fn is_short(pause: impl Fn()) -> bool {
    (0..TIMES).any(|_| {
        let begun = Instant::now();
        (0..PAUSES).for_each(|_| pause());
        begun.elapsed() <= PAUSES * LONGEST
    })
}

#[cfg(test)]
mod tests;
