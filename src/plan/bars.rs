//! The room that the BARs of assigned devices need in the guest's address map.
//!
//! Reckoned as the machine gives them out: all of a device behind its root port as one piece, pieces with the largest BARs first.

use std::cmp::Reverse;

use arch::BarRoom;
use data_model::Span;

use super::Draft;
use crate::errors::Refusal;
use crate::host::{DeviceFacts, Facts, HostBar, Lookup};

/// What the window of a root port is a multiple of.
const PORT_UNIT: u64 = 1 << 20;
/// No two BARs share a page.
const PAGE: u64 = 4096;
/// The window below 4 GiB is the one that ends there.
const LOW_END: u64 = 1 << 32;

/// What the window above RAM must hold: the BARs that may be there, clear of everything that the devices' groups reserve.
pub(super) fn room(facts: &Facts) -> BarRoom {
    let devices = facts.devices.iter().filter_map(|lookup| match lookup {
        Lookup::Found(device) => Some(device),
        _ => None,
    });
    let (bytes, align) = packed(devices, |bar| bar.high);
    let reserved = facts.groups.values().flat_map(|group| &group.reserved);
    BarRoom { bytes, align, avoid: reserved.map(|region| region.span).collect() }
}

/// Refuses devices whose other BARs do not fit below 4 GiB.
pub(super) fn check(draft: &mut Draft<'_>) {
    let Some(window) = draft.map.bars.iter().find(|window| window.last() < LOW_END) else { return };
    let (bytes, align) = packed(draft.devices.iter().map(|found| found.device), |bar| !bar.high);
    let start = window.start().checked_next_multiple_of(align.max(1));
    let fits = bytes == 0
        || start.and_then(|start| Span::from_len(start, bytes)).is_some_and(|span| window.covers(&span));
    if !fits {
        draft.refusals.push(Refusal::new(
            "the devices' memory below 4 GiB",
            "does not fit into the guest",
            format!(
                "BARs that are not both 64 bits wide and prefetchable take {}, and the guest has {window} for them",
                base::bytes(bytes)
            ),
            "Assign fewer devices to this guest.",
        ));
    }
}

/// Bytes from the first multiple of the largest BAR on that the BARs take which `here` chooses, and the largest BAR.
fn packed<'a>(devices: impl Iterator<Item = &'a DeviceFacts>, here: fn(&HostBar) -> bool) -> (u64, u64) {
    let mut pieces: Vec<(u64, u64)> = devices.filter_map(|device| piece(device, here)).collect();
    pieces.sort_by_key(|(align, _)| Reverse(*align));
    let end = |end: u64, (align, size): &(u64, u64)| {
        end.checked_next_multiple_of(*align).unwrap_or(u64::MAX).saturating_add(*size)
    };
    (pieces.iter().fold(0, end), pieces.first().map_or(0, |(align, _)| *align))
}

/// Alignment and size of what is behind one root port.
fn piece(device: &DeviceFacts, here: fn(&HostBar) -> bool) -> Option<(u64, u64)> {
    let sizes = device.bars.iter().filter(|bar| here(bar)).map(|bar| bar.size.max(PAGE));
    let largest = sizes.clone().max()?;
    // Sizes are powers of two, so without the larger ones first there would be gaps, and with them there is none.
    let sum = sizes.fold(0, u64::saturating_add);
    Some((largest.max(PORT_UNIT), sum.checked_next_multiple_of(PORT_UNIT).unwrap_or(u64::MAX)))
}
