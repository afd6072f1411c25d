//! The drawing as text: a bar at the left, one or more lines for each band, coloured where somebody looks.

use vm_control::{RunKind, ViommuReport};

use super::bands::{What, bands};
use super::scale::{Limits, heights};
use super::{about, size, unattached};

/// In lines.
const LIMITS: Limits = Limits { thinnest: 1.0, longest: 4.0, smallest: 1.0 };
/// Lines for each band on average.
const LINES: f64 = 1.6;

/// The whole drawing; with escape sequences of a terminal when `coloured`.
pub fn text(report: &ViommuReport, coloured: bool) -> String {
    let mut lines = Vec::new();
    for domain in &report.domains {
        lines.push(format!("domain {}: {}", domain.id, about(report, domain)));
        let bands = bands(report, domain);
        let sizes: Vec<u128> = bands.iter().map(|band| band.span.len_wide()).collect();
        let found = heights(&sizes, LINES * bands.len() as f64, LIMITS);
        for (band, (height, cut)) in bands.iter().zip(found.bands) {
            let span = format!("{:#018x}-{:#018x}", band.span.start(), band.span.last());
            let size = size(band.span.len_wide());
            lines.push(format!("{}  {span}  {size:>9}  {}", bar(band.what, coloured), band.words));
            let more = height.round() as usize - 1;
            for line in 0..more {
                let mark = if cut && line == more / 2 { "  ≈" } else { "" };
                lines.push(format!("{}{mark}", bar(band.what, coloured)));
            }
        }
        lines.push(String::new());
    }
    if report.domains.is_empty() {
        lines.push("there is no domain".to_owned());
    }
    lines.extend(unattached(report));
    let mut text = lines.join("\n").trim_end().to_owned();
    text.push('\n');
    text
}

/// One line of the bar.
fn bar(what: What, coloured: bool) -> String {
    let (colour, glyph) = match what {
        What::Slots(RunKind::Rw) => (34, "████"),
        What::Slots(RunKind::R) => (32, "████"),
        What::Slots(RunKind::W) => (33, "████"),
        What::Slots(RunKind::None) => (90, "▓▓▓▓"),
        What::Slots(RunKind::Doorbell) => (35, "████"),
        What::Slots(RunKind::Mixed) => (36, "████"),
        What::Msi => (31, "▓▓▓▓"),
        What::Reserved => (90, "▒▒▒▒"),
        What::Hole => (90, "│  │"),
    };
    if coloured { format!("  \x1b[{colour}m{glyph}\x1b[0m") } else { format!("  {glyph}") }
}

#[cfg(test)]
mod tests;
