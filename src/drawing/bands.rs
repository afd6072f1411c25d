//! A domain's address space as bands: slots, reserved regions, and the holes between them.
//!
//! Invariant: the bands follow one another without gap from the first to the last address of the input range.

use data_model::Span;
use vm_control::{DomainReport, RegionKind, RunKind, RunReport, ViommuReport};

use super::{count, size};

/// What a band is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Mappings of the guest.
    Slots(RunKind),
    /// Where interrupt messages go untranslated.
    Msi,
    /// Not to be used.
    Reserved,
    /// Nothing: an access ends in a fault.
    Hole,
}

/// A range of addresses of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// Where.
    pub span: Span,
    /// What.
    pub what: What,
    /// What is to be said of it besides place and size.
    pub words: String,
}

impl What {
    /// Every kind, in the order of a legend.
    pub const ALL: [What; 9] = [
        What::Slots(RunKind::Rw),
        What::Slots(RunKind::R),
        What::Slots(RunKind::W),
        What::Slots(RunKind::None),
        What::Slots(RunKind::Doorbell),
        What::Slots(RunKind::Mixed),
        What::Msi,
        What::Reserved,
        What::Hole,
    ];

    /// A few words.
    pub fn name(self) -> &'static str {
        match self {
            What::Slots(RunKind::Rw) => "slots, read and write",
            What::Slots(RunKind::R) => "slots, read",
            What::Slots(RunKind::W) => "slots, write",
            What::Slots(RunKind::None) => "slots without access",
            What::Slots(RunKind::Doorbell) => "doorbell",
            What::Slots(RunKind::Mixed) => "slots of several kinds",
            What::Msi => "MSI window",
            What::Reserved => "reserved",
            What::Hole => "hole",
        }
    }
}

/// The bands of `domain`, by rising address.
pub fn bands(report: &ViommuReport, domain: &DomainReport) -> Vec<Band> {
    let input = report.input_range;
    let mut bands: Vec<Band> = domain
        .runs
        .iter()
        .filter_map(|run| {
            let words = if domain.bypass { "guest RAM".to_owned() } else { words(run) };
            Some(Band { span: run.span.intersection(&input)?, what: What::Slots(run.kind), words })
        })
        .collect();
    for (span, what) in regions(report, domain) {
        // A doorbell that is mapped lies inside its window, and regions of several endpoints may overlap.
        let free = bands.iter().fold(vec![span], |pieces, band| cut(&pieces, &band.span));
        let pieces = free.into_iter().filter_map(|piece| piece.intersection(&input));
        bands.extend(pieces.map(|span| Band { span, what, words: what.name().to_owned() }));
    }
    bands.sort_unstable_by_key(|band| band.span);
    with_holes(bands, input)
}

/// `2 slots, read and write`.
fn words(run: &RunReport) -> String {
    let access = match run.kind {
        RunKind::Rw => "read and write",
        RunKind::R => "read",
        RunKind::W => "write",
        RunKind::None => "no access",
        RunKind::Doorbell => "doorbell",
        RunKind::Mixed => "of several kinds",
    };
    let holes = match run.span.len() {
        Some(len) if len > run.bytes => format!(", {} with holes between", size(run.bytes.into())),
        _ => String::new(),
    };
    format!("{}, {access}{holes}", count(run.mappings, "slot"))
}

/// Reserved regions of a domain's endpoints, each once; the window of MSIs first.
fn regions(report: &ViommuReport, domain: &DomainReport) -> Vec<(Span, What)> {
    let members = report.endpoints.iter().filter(|endpoint| endpoint.domain == Some(domain.id));
    let mut regions: Vec<(bool, Span)> = members
        .flat_map(|endpoint| &endpoint.reserved)
        .map(|region| (region.kind != RegionKind::Msi, region.span))
        .collect();
    regions.sort_unstable();
    regions.dedup();
    let what = |other| if other { What::Reserved } else { What::Msi };
    regions.into_iter().map(|(other, span)| (span, what(other))).collect()
}

fn cut(pieces: &[Span], hole: &Span) -> Vec<Span> {
    pieces.iter().flat_map(|piece| <[_; 2]>::from(piece.without(hole))).flatten().collect()
}

fn with_holes(bands: Vec<Band>, input: Span) -> Vec<Band> {
    let hole = |span| Band { span, what: What::Hole, words: What::Hole.name().to_owned() };
    let mut all = Vec::with_capacity(bands.len() * 2 + 1);
    let mut next = Some(input.start());
    for band in bands {
        let below = band.span.start().checked_sub(1);
        if let (Some(first), Some(last)) = (next, below) {
            all.extend(Span::new(first, last).map(hole));
        }
        next = band.span.next();
        all.push(band);
    }
    all.extend(next.and_then(|first| Span::new(first, input.last())).map(hole));
    all
}

#[cfg(test)]
mod tests;
