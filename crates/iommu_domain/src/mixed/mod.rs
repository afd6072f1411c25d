//! The software mixed domain: the founding letter's idea as a model that runs, and what kernels made of it.
//!
//! A letter to the kernel's lists of 2016 proposed `IOMMU_DOMAIN_MIXED`: one domain in which the user maps slots where it
//! likes, and the kernel puts the pages through which devices reach interrupt doorbells into the holes between them. This
//! module is that domain, with the letter's intent and without the faults of its code, and next to it the answer that
//! mainline gave instead: a window that stands still and is told.
//!
//! | the letter | here |
//! |---|---|
//! | "a new IOMMU domain type that allows mixing of unmanaged and managed IOVA slots" | [`MixedDomain`]: [`Slots`] and [`Pages`] in one [`State`] |
//! | "an IOVA domain whose aperture covers the GPA address range" | [`Config::aperture`], [`MixedDomain::ranges`] |
//! | "each time the IOMMU-API user maps iova/pa, we reserve the IOVA range" (`iommu_dma_map_mixed`) | [`MixedDomain::map`]: the slot *is* the reservation |
//! | `iommu_dma_unmap_mixed` | [`MixedDomain::unmap`]: cannot reach a page |
//! | "transparently allocate MSI frame IOVAs in the holes" | [`MsiPolicy::SeedHoles`], [`MixedDomain::msi_prepare`] |
//! | `iommu_domain_msi_geometry` | [`MsiPolicy::SeedWindow`], [`MixedDomain::set_window`] |
//! | `IOMMU_CAP_TRANSLATE_MSI` | [`MsiPolicy::translates`]; [`MsiPolicy::Hw`] and [`MsiPolicy::None`] do not |
//! | "mapping directly is done in the compose callback" | [`MixedDomain::compose`]: uses what was prepared, since a callback cannot fail |
//! | MSI-only cookies | [`Pages`], users counted; [`Config::reclaim`] |
//! | "does not address the interrupt safety assessment" | [`isolated`], [`assess`] |
//! | what became of it: VFIO type1, iommufd | [`MsiPolicy::FixedType1`], [`MsiPolicy::FixedIommufd`], [`Personality`] |
//! | what mixvm does for domains that a guest sees | [`MsiPolicy::Published`] |
//!
//! Invariants, whatever is asked: slots, pages and reserved regions never overlap one another, but for a slot over a
//! relaxable region and a page in a window that was reserved for pages; all lie in the aperture on their granules; no page is at address 0; a refused
//! request has changed nothing, with the one exception that iommufd's UNMAP has; nothing that is not in [`State`] is
//! reserved. A published window never moves.
//!
//! Where it departs from the kernels it models: slots are aligned to the granule also while no device is attached
//! (iommufd then aligns to one byte), and a device that leaves nothing to map is refused.

mod attach;
mod config;
mod context;
mod copy;
mod domain;
mod errno;
mod failure;
mod fork;
mod map;
mod memory;
pub mod model;
mod msi;
mod pages;
mod personality;
mod place;
mod policy;
mod region;
mod request;
mod rules;
mod safety;
mod shared;
mod slots;
mod translate;
mod unmap;
mod window;

pub use attach::Attached;
pub use config::{Backing, Config, ConfigError, MIN_GRANULE};
pub use context::{CONTEXT_DOORBELLS, IommufdContext};
pub use copy::Slice;
pub use domain::{MixedDomain, State};
pub use errno::Errno;
pub use failure::{Failure, Kind, Reason};
pub use msi::{Composed, Message};
pub use pages::{MsiPage, Pages};
pub use personality::{IommufdKernel, Personality, Type1Kernel};
pub use policy::{LINUX_WINDOW, MsiPolicy};
pub use region::{Device, DeviceId, Owner, ResvKind, ResvRegion};
pub use request::{MapRequest, Target, UnmapRequest};
use rules::Rules;
pub use safety::{MsiController, Safety, assess, isolated};
pub use shared::SharedDomain;
pub use slots::{Slot, Slots};
pub use translate::{Access, Fault, FaultKind, Translation};

#[cfg(test)]
mod tests;
