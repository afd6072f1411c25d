//! Whether a device can be kept from raising interrupts that are not its own.
//!
//! The letter left this out, and so declared every assignment on Arm unsafe. Since then it is judged apart from where
//! doorbells are mapped: isolation is a matter of the interrupt controller, not of the IOMMU.

use super::{Errno, Failure, Personality, Reason, Type1Kernel};

/// What stands between a device's interrupt write and the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MsiController {
    /// GICv3 ITS: tells devices apart by their number.
    Its,
    /// GICv5 ITS, likewise.
    GicV5Its,
    /// x86 with interrupt remapping (VT-d or AMD).
    Remapped,
    /// GICv2m frame: any device may raise any of its interrupts.
    GicV2m,
    /// Synquacer's window in front of an ITS: the device's number gets lost.
    SynquacerPreIts,
    /// x86 without interrupt remapping.
    Unremapped,
}

impl MsiController {
    /// Whether the controller keeps devices apart.
    pub fn isolates(self) -> bool {
        matches!(self, MsiController::Its | MsiController::GicV5Its | MsiController::Remapped)
    }
}

/// Whether interrupts count as isolated. `controllers` are those on the way of the group's devices; up to 6.1, those
/// of the whole machine.
pub fn isolated(personality: Personality, controllers: &[MsiController]) -> bool {
    match personality {
        // The SMMUs ceased to claim it, and nothing else did yet.
        Personality::Seed => {
            !controllers.is_empty() && controllers.iter().all(|c| *c == MsiController::Remapped)
        }
        // "Is there a controller that does not?"
        Personality::Type1(Type1Kernel::V6_1) => controllers.iter().all(|c| c.isolates()),
        _ => !controllers.is_empty() && controllers.iter().all(|c| c.isolates()),
    }
}

/// The verdict on an attachment that goes ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Safety {
    /// Interrupts are isolated.
    Isolated,
    /// They are not, and the administrator allowed it.
    AllowedUnsafe,
}

/// The verdict; EPERM when interrupts are not isolated and that is not allowed.
pub fn assess(isolated_msi: bool, allow_unsafe: bool) -> Result<Safety, Failure> {
    match (isolated_msi, allow_unsafe) {
        (true, _) => Ok(Safety::Isolated),
        (false, true) => Ok(Safety::AllowedUnsafe),
        (false, false) => Err(Failure::new(Errno::Perm, Reason::NotIsolated)),
    }
}
