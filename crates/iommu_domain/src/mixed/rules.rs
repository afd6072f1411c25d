//! The personalities as data: one table of rules each, so that no operation asks whose manners it has.

use super::{Errno, IommufdKernel, Personality, Type1Kernel};

/// One check of a MAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    Flags,
    /// IOVA or length is the last number there is.
    Extreme,
    Length,
    Perm,
    LenAligned,
    IovaAligned,
    TargetAligned,
    IovaWrap,
    TargetWrap,
    Aperture,
    Reserved,
    Slot,
    Page,
    Cap,
    Memory,
}

/// What a range that cuts a slot does to an UNMAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bisect {
    /// EINVAL, and nothing is unmapped.
    Atomic,
    /// ENOENT, and what lies below the slot is gone.
    Partial,
}

/// How an interface behaves where interfaces differ.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub unknown_flag: Errno,
    pub wrap: Errno,
    /// Checks of a MAP; the first to fail answers.
    pub order: &'static [Check],
    /// A MAP over a live doorbell page.
    pub page: Errno,
    /// A device and a slot that do not fit.
    pub conflict: Errno,
    /// Interrupt safety is judged after the fit.
    pub safety_last: bool,
    pub unmap_aligned: bool,
    pub bisect: Bisect,
    /// An UNMAP of nothing is an error.
    pub hole_is_error: bool,
    /// "All" is a flag; where it is not, it is the range (0, 2^64 - 1).
    pub all_is_flag: bool,
    /// A doorbell of a device that is not attached; `None` leaves the address alone.
    pub unattached: Option<Errno>,
    pub doorbell_reads: bool,
    /// Memory is looked at only while a device is attached.
    pub lazy: bool,
    pub lock_limit: bool,
    /// A device's memory can be mapped.
    pub mmio: bool,
    pub last_detach_unmaps: bool,
    pub moves: bool,
    /// A device that moves takes its doorbell pages along.
    pub carries: bool,
    pub copies: bool,
    /// A page above a device's mask is no page for it; kernels do not look.
    pub masks: bool,
}

use Check::*;

const SEED_ORDER: &[Check] = &[
    Flags,
    Length,
    Perm,
    LenAligned,
    IovaAligned,
    TargetAligned,
    IovaWrap,
    TargetWrap,
    Aperture,
    Reserved,
    Slot,
    Page,
    Cap,
    Memory,
];

const TYPE1_ORDER: &[Check] = &[
    Flags,
    Length,
    IovaWrap,
    TargetWrap,
    Perm,
    LenAligned,
    IovaAligned,
    TargetAligned,
    Slot,
    Cap,
    Aperture,
    Reserved,
    Page,
    Memory,
];

const IOAS_ORDER: &[Check] = &[
    Flags,
    Extreme,
    Perm,
    Length,
    TargetWrap,
    LenAligned,
    IovaAligned,
    IovaWrap,
    Aperture,
    Reserved,
    Page,
    Slot,
    TargetAligned,
    Memory,
];

const COMPAT_ORDER: &[Check] = &[
    Flags,
    Length,
    TargetWrap,
    LenAligned,
    IovaAligned,
    IovaWrap,
    Aperture,
    Reserved,
    Page,
    Slot,
    TargetAligned,
    Memory,
];

const SEED: Rules = Rules {
    unknown_flag: Errno::Inval,
    wrap: Errno::Overflow,
    order: SEED_ORDER,
    page: Errno::Exist,
    conflict: Errno::Inval,
    safety_last: false,
    unmap_aligned: true,
    bisect: Bisect::Atomic,
    hole_is_error: false,
    all_is_flag: true,
    unattached: Some(Errno::OpNotSupp),
    doorbell_reads: false,
    lazy: false,
    lock_limit: false,
    mmio: true,
    last_detach_unmaps: false,
    moves: true,
    carries: true,
    copies: false,
    masks: true,
};

const TYPE1: Rules = Rules {
    order: TYPE1_ORDER,
    page: Errno::Inval,
    safety_last: true,
    lock_limit: true,
    last_detach_unmaps: true,
    moves: false,
    masks: false,
    ..SEED
};

const IOAS: Rules = Rules {
    unknown_flag: Errno::OpNotSupp,
    order: IOAS_ORDER,
    page: Errno::Inval,
    conflict: Errno::AddrInUse,
    unmap_aligned: false,
    bisect: Bisect::Partial,
    hole_is_error: true,
    all_is_flag: false,
    doorbell_reads: true,
    lazy: true,
    lock_limit: true,
    mmio: false,
    copies: true,
    masks: false,
    ..SEED
};

const COMPAT: Rules = Rules {
    unknown_flag: Errno::Inval,
    order: COMPAT_ORDER,
    hole_is_error: false,
    all_is_flag: true,
    copies: false,
    moves: false,
    ..IOAS
};

impl Rules {
    pub fn of(personality: Personality) -> Rules {
        match personality {
            Personality::Seed => SEED,
            Personality::Type1(Type1Kernel::V7_3) => TYPE1,
            Personality::Type1(Type1Kernel::V6_1 | Type1Kernel::V6_12) => {
                Rules { wrap: Errno::Inval, unattached: None, ..TYPE1 }
            }
            Personality::Iommufd(IommufdKernel::V7_3) => IOAS,
            Personality::Iommufd(IommufdKernel::V6_12) => {
                Rules { unattached: None, doorbell_reads: false, carries: false, ..IOAS }
            }
            Personality::IommufdCompat => COMPAT,
        }
    }
}
