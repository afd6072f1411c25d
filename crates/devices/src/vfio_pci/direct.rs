//! The parts of the BARs that the guest uses without an exit.
//!
//! Invariants: a page that holds a byte of the MSI-X table or of the pending bits is in no part; a part is in the guest only
//! where its BAR decodes now.

use std::sync::Arc;

use base::MappedRegion;
use data_model::Span;
use vfio::PciRegion;

use super::error::VfioPciError;
use super::host::Host;
use super::layout::MsixPlace;
use crate::pci::BarWindow;
use crate::slots::{DirectMapping, MemoryMapper, SlotId};

/// Exits from one try to the next of a part that is refused for long.
const SELDOM: u32 = 1024;

/// A part of a BAR, mapped into this process for as long as the device lives.
struct Part {
    bar: u8,
    /// Offsets inside the BAR.
    area: Span,
    region: Arc<MappedRegion>,
    /// Where it is in the guest, and its slot.
    placed: Option<(Span, SlotId)>,
    /// It belongs into the guest, and is trapped instead.
    refused: Option<Refused>,
}

/// The machine's refusal to take a part.
struct Refused {
    span: Span,
    /// Accesses to the part since, each with an exit.
    exits: u32,
}

/// All parts of a device.
pub(super) struct DirectParts {
    mapper: Arc<dyn MemoryMapper>,
    parts: Vec<Part>,
}

impl DirectParts {
    /// Maps into this process what may be mapped.
    pub fn new(
        host: &Host,
        mapper: Arc<dyn MemoryMapper>,
        msix: Option<&MsixPlace>,
    ) -> Result<DirectParts, VfioPciError> {
        let page = rustix::param::page_size() as u64;
        let mut parts = Vec::new();
        for bar in 0..6 {
            let holes: Vec<Span> = msix
                .into_iter()
                .flat_map(|msix| [msix.table, msix.pending])
                .filter_map(|(of, span)| (of == bar).then_some(span))
                .collect();
            for area in direct_areas(&host.device.region(PciRegion::Bar(bar)).mappable, &holes, page) {
                let region = host.device.map(PciRegion::Bar(bar), area).map_err(|source| {
                    VfioPciError::Map { device: host.device.name().into(), bar, area, source }
                })?;
                parts.push(Part { bar, area, region: Arc::new(region), placed: None, refused: None });
            }
        }
        Ok(DirectParts { mapper, parts })
    }

    /// Takes every part out of the guest that does not belong where it is. To be called before decoding goes off on the
    /// device: an access to a part that does not decode would end the guest.
    pub fn withdraw(&mut self, host: &Host, windows: &[BarWindow]) {
        for part in &mut self.parts {
            let belongs = place_of(part, windows);
            part.refused.take_if(|refused| belongs != Some(refused.span));
            let Some((at, slot)) = part.placed else { continue };
            if belongs == Some(at) {
                continue;
            }
            match self.mapper.unmap(slot) {
                Ok(()) => part.placed = None,
                Err(error) => {
                    host.complain(&format!("take BAR {} out of the guest at {at}", part.bar), &error)
                }
            }
        }
    }

    /// Puts every part where its BAR decodes. What the machine refuses stays trapped, works all the same, and is tried again:
    /// another device may have been in the way, and have moved since.
    pub fn place(&mut self, host: &Host, windows: &[BarWindow]) {
        for part in &mut self.parts {
            if let (None, Some(span)) = (part.placed, place_of(part, windows)) {
                part.put(&*self.mapper, host, span);
            }
        }
    }

    /// A trapped access: where it hits a part that was refused, the part is tried again now and then.
    pub fn trapped(&mut self, host: &Host, bar: u8, offset: u64) {
        for part in self.parts.iter_mut().filter(|part| part.bar == bar && part.area.contains(offset)) {
            let Some(Refused { span, exits }) = &mut part.refused else { continue };
            *exits = exits.wrapping_add(1);
            if is_due(*exits) {
                let span = *span;
                part.put(&*self.mapper, host, span);
            }
        }
    }
}

impl Part {
    /// Puts it at `span`. A refusal is told once for each place.
    fn put(&mut self, mapper: &dyn MemoryMapper, host: &Host, span: Span) {
        match mapper.map(DirectMapping { span, region: self.region.clone(), offset: 0 }) {
            Ok(slot) => (self.placed, self.refused) = (Some((span, slot)), None),
            Err(_) if self.refused.is_some() => {}
            Err(error) => {
                host.complain(&format!("map BAR {} into the guest at {span}", self.bar), &error);
                self.refused = Some(Refused { span, exits: 0 });
            }
        }
    }
}

/// Whether a part is tried again after so many exits: soon at first, then so seldom that nobody notices.
fn is_due(exits: u32) -> bool {
    exits.is_power_of_two() || exits.is_multiple_of(SELDOM)
}

/// Where a part belongs at present.
fn place_of(part: &Part, windows: &[BarWindow]) -> Option<Span> {
    let window = windows.iter().find(|window| window.bar == part.bar && !window.io)?;
    let start = window.span.start().checked_add(part.area.start())?;
    Span::from_len(start, part.area.len()?).filter(|span| window.span.covers(span))
}

/// Whole pages of the mappable areas, without any page that a hole touches.
pub(super) fn direct_areas(mappable: &[Span], holes: &[Span], page: u64) -> Vec<Span> {
    let mut areas: Vec<Span> = mappable.iter().filter_map(|area| whole_pages(area, page)).collect();
    for hole in holes {
        let hole = hole.align_outwards(page);
        areas = areas
            .iter()
            .flat_map(|area| {
                let (below, above) = area.without(&hole);
                [below, above]
            })
            .flatten()
            .collect();
    }
    areas
}

/// The whole pages inside `area`.
fn whole_pages(area: &Span, page: u64) -> Option<Span> {
    let low = page - 1;
    let start = area.start().checked_add(low)? & !low;
    let end = area.last().checked_add(1)? & !low;
    Span::new(start, end.checked_sub(1)?)
}

#[cfg(test)]
mod tests;
