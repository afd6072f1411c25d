//! Where the host's reserved regions and the guest's address map collide.
//!
//! Addresses are the same on both sides only in bypass, but a guest may ask for that at any time: so it is refused at
//! the start, with both ranges, rather than failing later.

use data_model::Span;

use super::{Draft, groups, msi};
use crate::config::Arch;
use crate::errors::Refusal;
use crate::host::{GroupFacts, HostRegion, HostRegionKind};

/// Refuses overlaps, and RAM that a device with all of RAM mapped could not reach.
pub(super) fn check(draft: &mut Draft<'_>) {
    let mut refusals = Vec::new();
    for group in draft.groups.values() {
        for region in group.reserved.iter().filter(|region| binds(draft.machine.arch, region)) {
            let hits = draft.map.reachable().filter(|(_, span)| span.overlaps(&region.span));
            refusals.extend(hits.map(|(name, span)| overlap(group, region, name, span)));
        }
    }
    draft.refusals.append(&mut refusals);
    reach(draft);
}

/// Regions that the kernel keeps mappings out of. The x86 window for interrupt messages is the same for everybody and
/// holds the guest's local APICs too; `direct` is refused altogether.
fn binds(arch: Arch, region: &HostRegion) -> bool {
    match region.kind {
        HostRegionKind::Direct | HostRegionKind::DirectRelaxable => false,
        HostRegionKind::Reserved | HostRegionKind::Msi => {
            arch != Arch::X86_64 || !msi::X86_WINDOW.covers(&region.span)
        }
    }
}

fn overlap(group: &GroupFacts, region: &HostRegion, name: &str, span: Span) -> Refusal {
    Refusal::new(
        groups::name(group),
        format!("reserves {} ({}) on the host", region.span, region.kind.name()),
        format!("the guest has {name} at {span}, which its devices could not reach there"),
        "Give the guest less memory, or assign a device of another group.",
    )
}

/// RAM must lie inside the aperture of a device that has all of it mapped; behind the virtual IOMMU only bypass needs it.
fn reach(draft: &mut Draft<'_>) {
    let mut refusals = Vec::new();
    let mut warnings = Vec::new();
    for (number, aperture) in draft.apertures() {
        let Some(last) = aperture.ranges.iter().map(Span::last).max() else { continue };
        let Some(ram) = draft.map.ram.iter().find(|ram| ram.last() > last) else { continue };
        if draft.behind_viommu(number) {
            warnings.push(format!(
                "IOMMU group {number} maps addresses up to {last:#x}, guest RAM goes to {:#x}: bypass will be refused to the guest",
                ram.last()
            ));
        } else {
            refusals.push(Refusal::new(
                format!("IOMMU group {number}"),
                format!("maps addresses up to {last:#x} only"),
                format!("the guest has RAM at {ram}, and with iommu=off all of it must be mapped"),
                "Give the guest less memory, or put the device behind --virtio-iommu.",
            ));
        }
    }
    draft.refusals.append(&mut refusals);
    draft.warnings.append(&mut warnings);
}
