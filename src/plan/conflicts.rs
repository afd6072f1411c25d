//! Where the host's reserved regions and the guest's address map collide.
//!
//! Addresses are the same on both sides only in bypass, but a guest may ask for that at any time: so it is refused at
//! the start, with both ranges, rather than failing later.

use data_model::Span;

use super::{Draft, groups, msi, range};
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

/// RAM must lie inside the aperture of a device that has all of it mapped; behind the virtual IOMMU only bypass needs it, which
/// the guest is not offered then.
fn reach(draft: &mut Draft<'_>) {
    let mut refusals = Vec::new();
    let mut warnings = Vec::new();
    let at_boot = draft.assignment.viommu.is_some_and(|viommu| viommu.bypass_at_boot);
    for (number, aperture) in draft.apertures() {
        let Some(bounds) = range::bounds(aperture) else { continue };
        let Some(ram) = draft.map.ram.iter().find(|ram| !bounds.covers(ram)) else { continue };
        let (reason, remedy) = match (draft.behind_viommu(number), at_boot) {
            (true, false) => {
                warnings.push(format!(
                    "IOMMU group {number} maps {bounds} only, the guest has RAM at {ram}: bypass will be refused to the guest"
                ));
                continue;
            }
            (true, true) => ("with bypass-at-boot=on", "leave bypass-at-boot out"),
            (false, _) => ("with iommu=off", "put the device behind --virtio-iommu"),
        };
        refusals.push(Refusal::new(
            format!("IOMMU group {number}"),
            format!("maps {bounds} only"),
            format!("the guest has RAM at {ram}, and {reason} all of it must be mapped"),
            format!("Give the guest less memory, or {remedy}."),
        ));
    }
    draft.refusals.append(&mut refusals);
    draft.warnings.append(&mut warnings);
}
