//! The reserved regions that every endpoint shows: all that some host group keeps for itself, and one place for MSIs.

use arch::aarch64::Gic;
use data_model::Span;
use vm_control::RegionKind;

use super::{Draft, Region, msi};
use crate::cmdline::specs::MsiMode;
use crate::config::Arch;
use crate::host::HostRegionKind;

/// Pages behind the start of a host's MSI window that its kernel may use on hosts with pages of 64 KiB, whatever the
/// window's length says.
const GUARD_PAGES: u64 = 64;

/// The regions to publish: sorted, disjoint, aligned, neighbours of one kind merged, at most one of them MSI.
pub(super) fn publish(draft: &mut Draft<'_>, gic: Option<&Gic>, input: Span, granule: u64) -> Vec<Region> {
    let window = msi_window(draft, gic).map(|span| span.align_outwards(granule));
    let mut spans = host_regions(draft);
    spans.extend(holes(draft, input));
    spans.extend(guard_bands(draft));
    let aligned = spans.iter().map(|span| span.align_outwards(granule)).collect();
    let mut pieces = merge(aligned);
    if let Some(window) = &window {
        pieces = pieces.iter().flat_map(|span| outside(span, window)).collect();
    }
    let reserved = pieces.into_iter().map(|span| Region { span, kind: RegionKind::Reserved });
    let msi = window.map(|span| Region { span, kind: RegionKind::Msi });
    let mut regions: Vec<Region> = reserved.chain(msi).collect();
    regions.sort_by_key(|region| region.span);
    regions
}

/// The parts of `span` below and above `hole`.
fn outside(span: &Span, hole: &Span) -> Vec<Span> {
    let (below, above) = span.without(hole);
    below.into_iter().chain(above).collect()
}

/// The one region told as MSI. It always holds the guest's doorbell; with translated MSIs there is none.
fn msi_window(draft: &mut Draft<'_>, gic: Option<&Gic>) -> Option<Span> {
    if draft.assignment.viommu?.msi == MsiMode::Translate {
        return None;
    }
    if draft.machine.arch == Arch::X86_64 {
        return Some(msi::X86_WINDOW);
    }
    let doorbell = gic?.msi().doorbell_page().ok()?;
    let doubled: Vec<u32> = draft
        .groups
        .values()
        .filter(|group| msi::of_group(group).count() > 1)
        .map(|group| group.number)
        .collect();
    for group in &doubled {
        draft.warnings.push(format!(
            "IOMMU group {group} has several MSI regions, one of them a fixed doorbell of the host: its MSIs may fail to start"
        ));
    }
    let windows = msi::windows(draft);
    let around = windows.into_iter().find(|window| doubled.is_empty() && window.covers(&doorbell));
    Some(around.unwrap_or(doorbell))
}

/// All that the host reserves. What firmware needed at boot only is left out where the guest has something there: the
/// host lets it be mapped.
fn host_regions(draft: &mut Draft<'_>) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut warnings = Vec::new();
    for group in draft.groups.values() {
        for region in &group.reserved {
            let taken = draft.map.all().find(|(_, span)| span.overlaps(&region.span));
            match (region.kind, taken) {
                (HostRegionKind::DirectRelaxable, Some((name, span))) => warnings.push(format!(
                    "firmware of the host used {} for a device of IOMMU group {}; the guest has {name} at {span}",
                    region.span, group.number
                )),
                _ => spans.push(region.span),
            }
        }
    }
    draft.warnings.append(&mut warnings);
    spans
}

/// Gaps between the ranges that a group behind the virtual IOMMU can map.
fn holes(draft: &Draft<'_>, input: Span) -> Vec<Span> {
    let mut holes = Vec::new();
    for aperture in draft.viommu_apertures() {
        for pair in aperture.ranges.windows(2) {
            let [below, above] = pair else { continue };
            let gap = below.next().zip(above.start().checked_sub(1));
            let gap = gap.and_then(|(start, last)| Span::new(start, last));
            holes.extend(gap.and_then(|gap| gap.intersection(&input)));
        }
    }
    holes
}

/// On an aarch64 host with pages of 64 KiB: the addresses behind each MSI window that its kernel may come to use.
fn guard_bands(draft: &Draft<'_>) -> Vec<Span> {
    if draft.machine.arch != Arch::Aarch64 || draft.machine.page_size < 0x1_0000 {
        return Vec::new();
    }
    let len = draft.machine.page_size.saturating_mul(GUARD_PAGES);
    msi::windows(draft)
        .iter()
        .filter_map(|window| Span::from_len(window.start(), len))
        .filter(|band| draft.map.all().all(|(_, span)| !span.overlaps(band)))
        .collect()
}

/// Sorts, and joins what overlaps or touches.
pub(super) fn merge(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::new();
    for span in spans {
        match merged.last_mut() {
            Some(last) if last.next().is_none_or(|next| span.start() <= next) => {
                *last = Span::new(last.start(), last.last().max(span.last())).unwrap_or(*last);
            }
            _ => merged.push(span),
        }
    }
    merged
}
