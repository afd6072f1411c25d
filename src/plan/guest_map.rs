//! The part of the guest's address map that a plan must keep clear of.

use arch::aarch64::{self, Gic};
use arch::{BarRoom, LayoutError, NamedSpan, x86_64};
use data_model::Span;

use crate::config::{Arch, Assignment};
use crate::errors::Refusal;

/// What lies where in the guest, the MSI frame of an aarch64 guest left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuestMap {
    /// RAM.
    pub ram: Vec<Span>,
    /// Windows for BARs.
    pub bars: Vec<Span>,
    /// Devices at fixed places, which no device reaches by DMA.
    pub fixed: Vec<Span>,
}

impl GuestMap {
    /// Bits of a guest-physical address where KVM has not been asked.
    pub const USUAL_BITS: u32 = 40;

    /// The map of a guest with `cpus` processors, guest-physical addresses of `bits` bits, and room for `bars`.
    ///
    /// # Errors
    /// RAM, processors or BARs do not fit.
    pub fn new(
        assignment: &Assignment,
        cpus: u8,
        bits: u32,
        bars: &BarRoom,
    ) -> Result<GuestMap, LayoutError> {
        match assignment.arch {
            Arch::X86_64 => {
                let layout = x86_64::Layout::new(assignment.memory, bits, bars)?;
                Ok(GuestMap::sorted(layout.ram(), &layout.dma_spans(), &layout.spans(), None))
            }
            Arch::Aarch64 => {
                let cpus = u32::from(cpus);
                let layout = aarch64::Layout::new(assignment.memory, cpus, bits, Gic::V3_ITS, bars)?;
                let frame = Some(layout.msi_frame());
                Ok(GuestMap::sorted(layout.ram(), &layout.dma_spans(), &layout.spans(), frame))
            }
        }
    }

    fn sorted(ram: Vec<Span>, dma: &[NamedSpan], all: &[NamedSpan], frame: Option<Span>) -> GuestMap {
        let dma: Vec<Span> = dma.iter().map(|(_, span)| *span).collect();
        let bars = dma.iter().filter(|span| !ram.contains(span)).copied().collect();
        let kept = |span: &Span| !dma.contains(span) && Some(*span) != frame;
        let fixed = all.iter().map(|(_, span)| *span).filter(kept).collect();
        GuestMap { ram, bars, fixed }
    }

    /// What a device may be told to reach by DMA, with its name.
    pub fn reachable(&self) -> impl Iterator<Item = (&'static str, Span)> + '_ {
        named("RAM", &self.ram).chain(named("a BAR window", &self.bars))
    }

    /// Everything, with its name.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, Span)> + '_ {
        self.reachable().chain(named("a device", &self.fixed))
    }
}

/// [`GuestMap::new`], with its error as a refusal.
///
/// # Errors
/// RAM, processors or BARs do not fit.
pub fn guest_map(assignment: &Assignment, cpus: u8, bits: u32, bars: &BarRoom) -> Result<GuestMap, Refusal> {
    GuestMap::new(assignment, cpus, bits, bars).map_err(|error| {
        let remedy = match error {
            LayoutError::BarsTooBig { .. } => "Assign fewer devices, or give it less memory with --mem.",
            _ => "Give it less memory with --mem, or fewer processors with --cpus.",
        };
        Refusal::new("the machine", "cannot be laid out", error.to_string(), remedy)
    })
}

fn named<'a>(name: &'static str, spans: &'a [Span]) -> impl Iterator<Item = (&'static str, Span)> + 'a {
    spans.iter().map(move |span| (name, *span))
}

#[cfg(test)]
mod tests;
