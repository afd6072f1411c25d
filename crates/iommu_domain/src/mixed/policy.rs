//! Where doorbell pages go: the question that the letter answered one way and mainline another.

use data_model::Span;

/// Linux's window for doorbells on Arm: 1 MiB at 128 MiB, an arbitrary choice that stands since 4.11.
pub const LINUX_WINDOW: Option<Span> = Span::from_len(0x0800_0000, 0x10_0000);

/// Where doorbell pages go. Ranges are inclusive, in bytes of IOVA.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MsiPolicy {
    /// The letter: any hole of the aperture, highest first. Nobody is told.
    SeedHoles,
    /// The letter with an MSI geometry: holes of the window only; users may map what is free of it.
    SeedWindow {
        /// Where pages may go.
        window: Span,
    },
    /// The same, but told: users are refused anywhere in the window, always. For domains that a guest sees.
    Published {
        /// Where pages may go.
        window: Span,
    },
    /// VFIO type1 since 4.11, iommufd before 6.15: pages in rising order from the start of the window, per domain.
    FixedType1 {
        /// Where pages go, and where users may not.
        window: Span,
        /// The kernel never checks the window's end, and goes on past it.
        kernel_bug_unbounded: bool,
    },
    /// iommufd since 6.15: a page's index is the doorbell's place in a table that all domains of a context share.
    FixedIommufd {
        /// Where pages go, and where users may not.
        window: Span,
    },
    /// x86: writes to these regions are interrupts before any translation. There are no pages.
    Hw {
        /// Where; users may not map there.
        regions: Vec<Span>,
    },
    /// Interrupt writes are not translated and no region is known.
    None,
}

impl MsiPolicy {
    /// Where pages may go; `None` for the whole aperture, and where there are no pages.
    pub fn window(&self) -> Option<Span> {
        match self {
            MsiPolicy::SeedWindow { window }
            | MsiPolicy::Published { window }
            | MsiPolicy::FixedType1 { window, .. }
            | MsiPolicy::FixedIommufd { window } => Some(*window),
            MsiPolicy::SeedHoles | MsiPolicy::Hw { .. } | MsiPolicy::None => None,
        }
    }

    /// Whether interrupt writes need a page.
    pub fn translates(&self) -> bool {
        !matches!(self, MsiPolicy::Hw { .. } | MsiPolicy::None)
    }

    /// Whether pages go in rising order from the start of the window.
    pub fn is_fixed(&self) -> bool {
        matches!(self, MsiPolicy::FixedType1 { .. } | MsiPolicy::FixedIommufd { .. })
    }

    /// What users may not map on account of the policy.
    pub fn kept(&self) -> &[Span] {
        match self {
            MsiPolicy::Published { window }
            | MsiPolicy::FixedType1 { window, .. }
            | MsiPolicy::FixedIommufd { window } => std::slice::from_ref(window),
            MsiPolicy::Hw { regions } => regions,
            MsiPolicy::SeedHoles | MsiPolicy::SeedWindow { .. } | MsiPolicy::None => &[],
        }
    }

    /// The same policy with another window; holes become a published window. `None` where there are no pages.
    pub(super) fn with_window(&self, window: Span) -> Option<MsiPolicy> {
        match *self {
            MsiPolicy::SeedHoles | MsiPolicy::Published { .. } => Some(MsiPolicy::Published { window }),
            MsiPolicy::SeedWindow { .. } => Some(MsiPolicy::SeedWindow { window }),
            MsiPolicy::FixedType1 { kernel_bug_unbounded, .. } => {
                Some(MsiPolicy::FixedType1 { window, kernel_bug_unbounded })
            }
            MsiPolicy::FixedIommufd { .. } => Some(MsiPolicy::FixedIommufd { window }),
            MsiPolicy::Hw { .. } | MsiPolicy::None => None,
        }
    }
}
