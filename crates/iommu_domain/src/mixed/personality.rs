//! Whose manners a domain has: the order of checks and the error numbers of the letter or of a kernel's interface.

/// VFIO type1 by kernel release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type1Kernel {
    /// 6.1: interrupts are judged system-wide.
    V6_1,
    /// 6.12.
    V6_12,
    /// 7.3: ranges that wrap are EOVERFLOW.
    V7_3,
}

/// iommufd by kernel release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IommufdKernel {
    /// 6.12: doorbell pages per domain.
    V6_12,
    /// 7.3: doorbell pages per context.
    V7_3,
}

/// Whose manners a domain has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Personality {
    /// The letter's intent, without the faults of its code.
    Seed,
    /// The ioctls of VFIO type1 (v2).
    Type1(Type1Kernel),
    /// The `IOMMU_IOAS_*` ioctls.
    Iommufd(IommufdKernel),
    /// The ioctls of type1, answered by iommufd 7.3.
    IommufdCompat,
}

impl Personality {
    /// All of them, for tables and tests.
    pub const ALL: [Personality; 7] = [
        Personality::Seed,
        Personality::Type1(Type1Kernel::V6_1),
        Personality::Type1(Type1Kernel::V6_12),
        Personality::Type1(Type1Kernel::V7_3),
        Personality::Iommufd(IommufdKernel::V6_12),
        Personality::Iommufd(IommufdKernel::V7_3),
        Personality::IommufdCompat,
    ];
}
