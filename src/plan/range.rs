//! What every leg can map: the input range and the page size.

use data_model::{PageMask, Span};

use super::Draft;
use crate::errors::Refusal;
use crate::host::Aperture;

/// What a domain can map when no host device limits it: 48 bits, as wide as common IOMMUs.
const UNLIMITED: (u64, u64) = (0, (1 << 48) - 1);

/// The smallest page of any guest, in bytes.
const LEAST_PAGE: u64 = 4096;

/// All pages that a guest could have.
const LEAST_MASK: PageMask = match PageMask::new(!(LEAST_PAGE - 1)) {
    Some(mask) => mask,
    None => unreachable!(),
};

/// First and last address that a group can map.
pub(super) fn bounds(aperture: &Aperture) -> Option<Span> {
    let start = aperture.ranges.iter().map(Span::start).min()?;
    let last = aperture.ranges.iter().map(Span::last).max()?;
    Span::new(start, last)
}

/// The intersection of the apertures behind the virtual IOMMU, aligned inwards. It ends a granule before the address space does
/// at the latest: kernels before 6.18 cannot unmap what ends there (AMD-Vi's first page tables reach it).
pub(super) fn input_range(draft: &mut Draft<'_>, granule: u64) -> Span {
    let all = Span::new(UNLIMITED.0, UNLIMITED.1).unwrap_or(Span::ALL);
    let limits: Vec<Option<Span>> = draft.viommu_apertures().map(bounds).collect();
    let start = if limits.is_empty() { all } else { Span::ALL };
    let common = limits.iter().try_fold(start, |common, limit| limit.as_ref()?.intersection(&common));
    let inner = common.and_then(|common| {
        let start = common.start().checked_next_multiple_of(granule)?;
        let next = common.next().unwrap_or(u64::MAX);
        Span::new(start, (next & !(granule - 1)).checked_sub(1)?)
    });
    inner.unwrap_or_else(|| {
        draft.refusals.push(Refusal::new(
            "the virtual IOMMU",
            "has no address that all devices can use",
            "the address ranges of their IOMMUs on the host do not meet",
            "Assign fewer devices to this guest.",
        ));
        all
    })
}

/// The granule that every group behind the virtual IOMMU can map, alone: guests then send the fewest requests.
pub(super) fn page_mask(draft: &mut Draft<'_>) -> PageMask {
    let common =
        draft.viommu_apertures().fold(LEAST_MASK, |common, aperture| common.common(&aperture.page_sizes));
    if common.granule() > LEAST_PAGE {
        draft.warnings.push(format!(
            "the host maps pages of {}; a guest kernel with smaller pages will not use the virtual IOMMU",
            base::bytes(common.granule())
        ));
    }
    common.granule_only()
}
