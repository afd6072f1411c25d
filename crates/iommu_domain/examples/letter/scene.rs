//! A domain drawn as lines of text: what lies where, by rising IOVA.

use std::cmp::Reverse;
use std::fmt::Write;

use data_model::Span;
use iommu_domain::mixed::{MixedDomain, Target};

/// Bytes as people say them.
pub fn size(span: Span) -> String {
    let bytes = span.len_wide();
    [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
        .iter()
        .find(|(unit, _)| bytes.is_multiple_of(*unit))
        .map_or(format!("{bytes} bytes"), |(unit, name)| format!("{} {name}", bytes / unit))
}

/// One line for each slot, page and kept window.
pub fn draw(domain: &MixedDomain) -> String {
    let state = domain.state();
    let mut lines: Vec<(Span, String)> = Vec::new();
    for slot in state.slots.iter() {
        let target = match slot.target {
            Target::Ram { offset, .. } => format!("slot     → guest memory at {offset:#x}, {}", slot.perm),
            Target::Mmio { phys } => format!("slot     → device registers at {phys:#x}, {}", slot.perm),
        };
        lines.push((slot.span, target));
    }
    for (iova, page) in state.pages.iter() {
        let users = page.users.iter().map(|id| format!("device {id}")).collect::<Vec<_>>().join(", ");
        let span = Span::from_len(iova, domain.config().msi_page);
        lines.extend(span.map(|span| (span, format!("doorbell → {:#x}, for {users}", page.phys))));
    }
    lines.extend(state.policy.kept().iter().map(|span| (*span, "window   kept for doorbells".to_owned())));
    // What lies in a window comes after it.
    lines.sort_by_key(|(span, _)| (span.start(), Reverse(span.last())));
    let mut text = String::new();
    for (span, what) in lines {
        let range = format!("{:#012x}-{:#012x}", span.start(), span.last());
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    {range} {:>8}  {what}", size(span));
    }
    text
}
