//! The drawing as SVG: one panel for each domain, two beside each other, a legend below.

use std::fmt::Write;

use vm_control::{DomainReport, RunKind, ViommuReport};

use super::bands::{Band, What, bands};
use super::scale::{Limits, heights};
use super::{about, size, unattached};

const PANEL: f64 = 640.0;
const MARGIN: f64 = 24.0;
const HEADING: f64 = 62.0;
const BAR: f64 = 56.0;
/// Height of a line of labels.
const LINE: f64 = 17.0;
const SMALLEST_BAR: f64 = 380.0;
const LIMITS: Limits = Limits { thinnest: 3.0, longest: 44.0, smallest: 20.0 };
/// Where there are few bands, they may be longer.
const LONGEST: f64 = 90.0;
const LEGEND: f64 = 170.0;

const STYLE: &str = "text{font-family:Helvetica,Arial,sans-serif;fill:#222}\
.name{font-size:17px;font-weight:bold}.about{font-size:12px;fill:#555}\
.label{font-size:12px}.hole{fill:#777}.address{font-family:Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:11px}";

/// The whole drawing.
pub fn svg(report: &ViommuReport) -> String {
    let panels: Vec<Panel> = report.domains.iter().map(|domain| Panel::new(report, domain)).collect();
    let columns = panels.len().clamp(1, 2);
    let mut body = String::new();
    let mut top = 0.0;
    for row in panels.chunks(columns) {
        for (column, panel) in row.iter().enumerate() {
            panel.draw(&mut body, MARGIN + PANEL * column as f64, top);
        }
        top += row.iter().map(Panel::height).fold(0.0, f64::max);
    }
    for line in unattached(report) {
        top += LINE;
        text(&mut body, (MARGIN, top), "about", &line);
    }
    if report.domains.is_empty() {
        top += LINE;
        text(&mut body, (MARGIN, top), "about", "There is no domain.");
    }
    let width = MARGIN + PANEL * columns as f64;
    let top = legend(&mut body, &panels, top + 2.0 * LINE, width);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{top:.0}\" \
         viewBox=\"0 0 {width} {top:.0}\" role=\"img\">\n<title>Address spaces of the virtual IOMMU</title>\n\
         <style>{STYLE}</style>\n{PATTERNS}\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n"
    )
}

const PATTERNS: &str = "<defs><pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
patternTransform=\"rotate(45)\"><rect width=\"6\" height=\"6\" fill=\"#cfcfcf\"/><rect width=\"2.5\" height=\"6\" fill=\"#8c8c8c\"/>\
</pattern><pattern id=\"mixed\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
<rect width=\"6\" height=\"6\" fill=\"#56b4e9\"/><rect width=\"3\" height=\"6\" fill=\"#e69f00\"/></pattern></defs>";

/// Colours that people with any kind of colour sight can tell apart.
fn fill(what: What) -> &'static str {
    match what {
        What::Slots(RunKind::Rw) => "#0072b2",
        What::Slots(RunKind::R) => "#009e73",
        What::Slots(RunKind::W) => "#e69f00",
        What::Slots(RunKind::None) => "#dddddd",
        What::Slots(RunKind::Doorbell) => "#cc79a7",
        What::Slots(RunKind::Mixed) => "url(#mixed)",
        What::Msi => "#d55e00",
        What::Reserved => "url(#hatch)",
        What::Hole => "#f7f7f7",
    }
}

/// One domain.
struct Panel {
    name: String,
    about: String,
    bands: Vec<Band>,
    heights: Vec<(f64, bool)>,
    scale: f64,
}

impl Panel {
    fn new(report: &ViommuReport, domain: &DomainReport) -> Panel {
        let bands = bands(report, domain);
        let sizes: Vec<u128> = bands.iter().map(|band| band.span.len_wide()).collect();
        let total = SMALLEST_BAR.max(LINE * bands.len() as f64);
        let longest = (1.6 * total / bands.len() as f64).clamp(LIMITS.longest, LONGEST);
        let found = heights(&sizes, total, Limits { longest, ..LIMITS });
        let kind = if domain.bypass { " (bypass)" } else { "" };
        Panel {
            name: format!("Domain {}{kind}", domain.id),
            about: about(report, domain),
            bands,
            heights: found.bands,
            scale: found.scale,
        }
    }

    fn bar_height(&self) -> f64 {
        self.heights.iter().map(|(height, _)| height).sum()
    }

    /// Labels take their lines even where the bar is shorter.
    fn height(&self) -> f64 {
        HEADING + self.bar_height().max(LINE * self.bands.len() as f64) + 2.0 * LINE
    }

    fn draw(&self, out: &mut String, left: f64, top: f64) {
        text(out, (left, top + 28.0), "name", &self.name);
        text(out, (left, top + 47.0), "about", &self.about);
        let mut y = top + HEADING;
        let places = self.label_places(y);
        for ((band, (height, cut)), place) in self.bands.iter().zip(&self.heights).zip(places) {
            rectangle(out, (left, y), (BAR, *height), band.what);
            if *cut {
                zigzag(out, left, y + height / 2.0);
            }
            label(out, band, left, (y + height / 2.0, place));
            y += height;
        }
        let note = format!("1 px = {}", size(self.scale.ceil() as u128));
        text(out, (left, y + 16.0), "about", &note);
    }

    /// Heights of the labels: each as near to its band as those above it allow.
    fn label_places(&self, top: f64) -> Vec<f64> {
        let mut y = top;
        let mut places: Vec<f64> = Vec::with_capacity(self.bands.len());
        for (height, _) in &self.heights {
            let ideal = y + height / 2.0;
            let above = places.last().map_or(top, |place| place + LINE);
            places.push(ideal.max(above));
            y += height;
        }
        let mut below = top + self.bar_height().max(LINE * self.bands.len() as f64);
        for place in places.iter_mut().rev() {
            *place = place.min(below);
            below = *place - LINE;
        }
        places
    }
}

/// A line from the band (first of `ys`) to its label (second), and the label.
fn label(out: &mut String, band: &Band, left: f64, ys: (f64, f64)) {
    let (edge, end) = (left + BAR, left + BAR + 34.0);
    let class = if band.what == What::Hole { "label hole" } else { "label" };
    let (from, to) = ys;
    put(
        out,
        format_args!(
            "<path d=\"M{edge:.0} {from:.1}h8L{:.0} {to:.1}H{end:.0}\" fill=\"none\" stroke=\"#999\" stroke-width=\"0.7\"/>\n",
            end - 8.0
        ),
    );
    let base = to + 4.0;
    put(
        out,
        format_args!(
            "<text class=\"address\" x=\"{:.0}\" y=\"{base:.1}\">{}</text>\
         <text class=\"{class}\" x=\"{:.0}\" y=\"{base:.1}\" text-anchor=\"end\">{}</text>",
            end + 5.0,
            band.span,
            end + 285.0,
            size(band.span.len_wide())
        ),
    );
    text(out, (end + 300.0, base), class, &band.words);
}

fn rectangle(out: &mut String, at: (f64, f64), size: (f64, f64), what: What) {
    put(
        out,
        format_args!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\" stroke=\"#fff\" stroke-width=\"0.5\"/>\n",
            at.0,
            at.1,
            size.0,
            size.1,
            fill(what)
        ),
    );
    if what == What::Hole {
        // Sides only: a hole has no ends of its own.
        for x in [at.0, at.0 + size.0] {
            put(
                out,
                format_args!(
                    "<path d=\"M{x:.1} {:.1}v{:.1}\" stroke=\"#bbb\" stroke-dasharray=\"3 2\"/>\n",
                    at.1, size.1
                ),
            );
        }
    }
}

/// The mark of a band that is longer than drawn.
fn zigzag(out: &mut String, left: f64, y: f64) {
    let mut path = format!("M{:.1} {:.1}", left - 5.0, y + 3.0);
    for step in 0..11 {
        let up = if step % 2 == 0 { -6.0 } else { 6.0 };
        put(&mut path, format_args!("l6 {up}"));
    }
    for (width, colour) in [(7.0, "#fff"), (1.2, "#555")] {
        for shift in if width > 2.0 { [0.0, 0.0] } else { [-3.0, 3.0] } {
            put(
                out,
                format_args!(
                    "<path d=\"{path}\" transform=\"translate(0 {shift})\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>\n"
                ),
            );
        }
    }
}

/// The kinds that occur, and the mark of a cut; the height below it.
fn legend(out: &mut String, panels: &[Panel], top: f64, width: f64) -> f64 {
    let occurs = |what: &What| panels.iter().any(|panel| panel.bands.iter().any(|band| band.what == *what));
    let columns = ((width - 2.0 * MARGIN) / LEGEND).floor().max(1.0) as usize;
    let kinds: Vec<What> = What::ALL.into_iter().filter(occurs).collect();
    let place = |index: usize| {
        (MARGIN + LEGEND * (index % columns) as f64, top + (LINE + 6.0) * (index / columns) as f64)
    };
    for (index, what) in kinds.iter().enumerate() {
        let (x, y) = place(index);
        rectangle(out, (x, y - 11.0), (22.0, 14.0), *what);
        text(out, (x + 29.0, y), "label", what.name());
    }
    let cut = panels.iter().any(|panel| panel.heights.iter().any(|(_, cut)| *cut));
    if cut {
        let (x, y) = place(kinds.len());
        text(out, (x, y), "label", "≈ cut: longer than drawn");
    }
    place(kinds.len()).1 + 2.0 * LINE
}

fn text(out: &mut String, at: (f64, f64), class: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    put(out, format_args!("<text class=\"{class}\" x=\"{:.0}\" y=\"{:.1}\">{words}</text>\n", at.0, at.1));
}

fn put(out: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    let _ = out.write_fmt(words);
}

#[cfg(test)]
mod tests;
