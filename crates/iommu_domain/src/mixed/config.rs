//! What a domain is made with. Nothing of it changes later, except that the window may be chosen before first use.

use std::collections::BTreeMap;

use data_model::Span;
use thiserror::Error;

use super::policy::LINUX_WINDOW;
use super::{MsiPolicy, Owner, Personality, ResvKind, ResvRegion, Type1Kernel};

/// The smallest granule, as in the product's own table.
pub const MIN_GRANULE: u64 = crate::table::MIN_GRANULE;

/// A piece of the user's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backing {
    /// Bytes.
    pub len: u64,
    /// Whether it may be written.
    pub writable: bool,
}

/// What a domain is made with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Alignment of slots in bytes, a power of two.
    pub granule: u64,
    /// Size of a doorbell page in bytes: a power of two, at least the granule.
    pub msi_page: u64,
    /// What can be addressed; both ends on granules.
    pub aperture: Span,
    /// Where doorbell pages go.
    pub policy: MsiPolicy,
    /// Regions that are reserved whatever is attached.
    pub resv: Vec<(Span, ResvKind)>,
    /// Slots at most.
    pub max_slots: Option<u32>,
    /// Whose manners.
    pub personality: Personality,
    /// Whether interrupts are isolated ([`isolated`](super::isolated) says).
    pub isolated_msi: bool,
    /// Whether a device may be attached when they are not.
    pub allow_unsafe: bool,
    /// Pages go when nobody uses them; no kernel does that.
    pub reclaim: bool,
    /// The pieces of memory that exist; `None` when each target is taken at its word.
    pub backings: Option<BTreeMap<u32, Backing>>,
    /// Bytes of memory that may be locked.
    pub lock_limit: Option<u64>,
    /// An UNMAP finds nothing in a range that ends at 2^64 - 1, and one of everything leaves a slot there: type1 before 6.18.
    pub loses_the_end: bool,
}

/// A configuration that makes no domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// No power of two, or too small.
    #[error("the granule {0:#x} is no power of two from {MIN_GRANULE:#x} up")]
    Granule(u64),
    /// No power of two, or below the granule.
    #[error("the doorbell page {0:#x} is no power of two from the granule up")]
    MsiPage(u64),
    /// An end is not on a granule, or there is one granule only.
    #[error("the aperture {0} does not begin and end on granules, or is too small")]
    Aperture(Span),
    /// Not on doorbell pages, at address 0, or outside the aperture.
    #[error("the window {0} does not begin and end on doorbell pages inside the aperture, past address 0")]
    Window(Span),
    /// Pages would go where they must not.
    #[error("the window {window} overlaps the reserved region {region}")]
    WindowReserved {
        /// The window.
        window: Span,
        /// What it overlaps.
        region: Span,
    },
}

impl Config {
    /// The letter's domain over `aperture`: 4 KiB pages, doorbells in any hole, assignment allowed.
    pub fn seed(aperture: Span) -> Config {
        Config {
            granule: 0x1000,
            msi_page: 0x1000,
            aperture,
            policy: MsiPolicy::SeedHoles,
            resv: Vec::new(),
            max_slots: None,
            personality: Personality::Seed,
            isolated_msi: false,
            allow_unsafe: true,
            reclaim: false,
            backings: None,
            lock_limit: None,
            loses_the_end: false,
        }
    }

    /// What stands behind an emulated device whose addresses are those of `input`: the letter's manners, and interrupts that are
    /// the device's own.
    pub fn emulated(granule: u64, input: Span, policy: MsiPolicy) -> Config {
        let aperture = input.align_outwards(granule);
        Config { granule, msi_page: granule, policy, isolated_msi: true, ..Config::seed(aperture) }
    }

    /// Of [`MixedDomain::open`](super::MixedDomain::open).
    pub(super) fn open() -> Config {
        Config::emulated(MIN_GRANULE, Span::ALL, MsiPolicy::None)
    }

    /// A VFIO type1 container on an Arm host: Linux's window, isolated interrupts, 65,535 mappings.
    pub fn type1(aperture: Span, kernel: Type1Kernel) -> Config {
        let fixed = |window| MsiPolicy::FixedType1 { window, kernel_bug_unbounded: true };
        Config {
            policy: LINUX_WINDOW.map_or(MsiPolicy::None, fixed),
            personality: Personality::Type1(kernel),
            max_slots: Some(65_535),
            isolated_msi: true,
            allow_unsafe: false,
            ..Config::seed(aperture)
        }
    }

    /// Whether a domain can be made.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !self.granule.is_power_of_two() || self.granule < MIN_GRANULE {
            return Err(ConfigError::Granule(self.granule));
        }
        if !self.msi_page.is_power_of_two() || self.msi_page < self.granule {
            return Err(ConfigError::MsiPage(self.msi_page));
        }
        if !self.aperture.is_aligned(self.granule) || self.aperture.len() == Some(self.granule) {
            return Err(ConfigError::Aperture(self.aperture));
        }
        let Some(window) = self.policy.window() else { return Ok(()) };
        if !self.fits(window) {
            return Err(ConfigError::Window(window));
        }
        let blocks = |(span, kind): &&(Span, ResvKind)| kind.blocks_pages() && span.overlaps(&window);
        match self.resv.iter().find(blocks) {
            Some(&(region, _)) => Err(ConfigError::WindowReserved { window, region }),
            None => Ok(()),
        }
    }

    /// Whether pages can go there at all.
    pub(super) fn fits(&self, window: Span) -> bool {
        window.is_aligned(self.msi_page) && window.start() >= self.msi_page && self.aperture.covers(&window)
    }

    /// The configuration's own regions.
    pub(super) fn regions(&self) -> impl Iterator<Item = ResvRegion> + '_ {
        self.resv.iter().map(|&(span, kind)| ResvRegion { span, kind, owner: Owner::Host })
    }
}
