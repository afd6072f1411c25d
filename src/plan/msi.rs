//! Where MSIs go: the host's windows, and the place of an aarch64 guest's MSI frame relative to them.

use arch::aarch64::{Gic, MsiFrame};
use data_model::Span;

use super::{Draft, GuestMap};
use crate::cmdline::IrqchipArg;
use crate::config::Arch;
use crate::errors::Refusal;
use crate::host::{GroupFacts, HostGic, HostRegionKind};

/// Where interrupt messages of x86 go, on host and guest alike.
pub(super) const X86_WINDOW: Span = fixed(0xfee0_0000, 0xfeef_ffff);

/// Frames are placed below 4 GiB, which every guest can address.
const BELOW: Span = fixed(0, u32::MAX as u64);

/// The window that Linux hosts use unless they say otherwise.
const CUSTOMARY: Span = fixed(0x800_0000, 0x80f_ffff);

/// Decides an aarch64 guest's interrupt controller and where its MSI frame goes: inside a window of the host's own MSIs
/// where that can be, so that host and guest reserve the same addresses; at the customary place otherwise.
pub(super) fn place(draft: &mut Draft<'_>) -> Option<Gic> {
    if draft.machine.arch != Arch::Aarch64 {
        return None;
    }
    let host = draft.machine.gic;
    if draft.assignment.irqchip == IrqchipArg::Its && host == Some(HostGic::V2) {
        draft.refusals.push(Refusal::new(
            "--irqchip",
            "cannot be its",
            "the host has a GICv2, and KVM can give the guest no other",
            "Leave the flag out, or say --irqchip v2m.",
        ));
    }
    let its = draft.assignment.irqchip != IrqchipArg::V2m && host != Some(HostGic::V2);
    let msi = frame(draft, its);
    Some(if host == Some(HostGic::V2) { Gic::V2 { msi } } else { Gic::V3 { msi } })
}

fn frame(draft: &Draft<'_>, its: bool) -> MsiFrame {
    let usual = if its { MsiFrame::ITS_DEFAULT } else { MsiFrame::V2M_DEFAULT };
    let offset = usual.base() - CUSTOMARY.start();
    let at = |base| if its { MsiFrame::Its { base } } else { MsiFrame::V2m { base } };
    let windows = windows(draft);
    let inside = |frame: &Span| windows.iter().any(|window| window.covers(frame));
    let moved = windows
        .iter()
        .flat_map(|window| [window.start().checked_add(offset), Some(window.start())])
        .flatten()
        .map(at);
    std::iter::once(usual)
        .chain(moved)
        .find(|frame| frame.span().is_ok_and(|span| inside(&span) && is_free(&span, draft.map)))
        .unwrap_or(usual)
}

/// A frame needs whole pages of 64 KiB to itself, so that a guest with such pages cannot reach a neighbour through them.
fn is_free(frame: &Span, map: &GuestMap) -> bool {
    let needed = frame.align_outwards(0x1_0000);
    needed.start() == frame.start()
        && BELOW.covers(&needed)
        && map.all().all(|(_, span)| !span.overlaps(&needed))
}

/// The host's MSI windows over all groups, merged.
pub(super) fn windows(draft: &Draft<'_>) -> Vec<Span> {
    let spans = draft.groups.values().flat_map(|group| of_group(group));
    super::regions::merge(spans.collect())
}

/// The MSI windows of one group.
pub(super) fn of_group(group: &GroupFacts) -> impl Iterator<Item = Span> + '_ {
    group.reserved.iter().filter(|region| region.kind == HostRegionKind::Msi).map(|region| region.span)
}

const fn fixed(start: u64, last: u64) -> Span {
    match Span::new(start, last) {
        Some(span) => span,
        None => Span::ALL,
    }
}
