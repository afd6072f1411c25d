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

/// A part of a BAR, mapped into this process for as long as the device lives.
struct Part {
    bar: u8,
    /// Offsets inside the BAR.
    area: Span,
    region: Arc<MappedRegion>,
    /// Where it was last to be put, and its slot if the machine took it.
    place: Option<(Span, Option<SlotId>)>,
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
                parts.push(Part { bar, area, region: Arc::new(region), place: None });
            }
        }
        Ok(DirectParts { mapper, parts })
    }

    /// Takes every part out of the guest that does not belong where it is. To be called before decoding goes off on the
    /// device: an access to a part that does not decode would end the guest.
    pub fn withdraw(&mut self, host: &Host, windows: &[BarWindow]) {
        for part in &mut self.parts {
            let Some((at, slot)) = part.place else { continue };
            if place_of(part, windows) == Some(at) {
                continue;
            }
            match slot.map_or(Ok(()), |slot| self.mapper.unmap(slot)) {
                Ok(()) => part.place = None,
                Err(error) => {
                    host.complain(&format!("take BAR {} out of the guest at {at}", part.bar), &error)
                }
            }
        }
    }

    /// Puts every part where its BAR decodes. What the machine refuses stays trapped, and works all the same.
    pub fn place(&mut self, host: &Host, windows: &[BarWindow]) {
        for part in &mut self.parts {
            if part.place.is_some() {
                continue;
            }
            let Some(span) = place_of(part, windows) else { continue };
            let mapping = DirectMapping { span, region: part.region.clone(), offset: 0 };
            let slot = self.mapper.map(mapping);
            if let Err(error) = &slot {
                host.complain(&format!("map BAR {} into the guest at {span}", part.bar), error);
            }
            part.place = Some((span, slot.ok()));
        }
    }
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
