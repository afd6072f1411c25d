//! The address map of a guest on aarch64.
//!
//! Invariant: no two parts overlap, and all lie below the guest's last physical address. Everything but RAM and the high BAR
//! window is below 2 GiB, and the default MSI frames are inside 0x0800_0000 to 0x080f_ffff.

use data_model::Span;

use super::Gic;
use crate::PciShape;
use crate::span_map::{
    BARS_HIGH, BARS_LOW, BarRoom, ECAM, LayoutError, NamedSpan, RAM, check_size, fixed, high_window,
    sort_disjoint,
};

const UART: Span = fixed(0x0100_0000, 0x0100_0fff);
const CLOCK: Span = fixed(0x0101_0000, 0x0101_0fff);
const MMIO32: Span = fixed(0x1000_0000, 0x2fff_ffff);
const ECAM_SPAN: Span = fixed(0x3000_0000, 0x37ff_ffff);
const LAST_BUS: u8 = 127;
const GICD: Span = fixed(0x3fff_0000, 0x3fff_ffff);
const GICC: Span = fixed(0x3ffd_0000, 0x3ffe_ffff);
const GICR_EACH: u64 = 0x2_0000;
const RAM_START: u64 = 0x8000_0000;
const V2_MOST_CPUS: u32 = 8;

/// The most processors: what KVM takes, and few enough that their interrupt frames do not reach configuration space.
pub const MOST_CPUS: u32 = 512;

/// Where everything is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    ram: Span,
    mmio64: Option<Span>,
    gic: Gic,
    per_cpu: Span,
    msi: Span,
    spans: Vec<NamedSpan>,
}

impl Layout {
    /// The map for `ram_bytes` of RAM, `cpus` processors, guest-physical addresses of `ipa_bits` bits, and an interrupt
    /// controller whose MSI frame the caller has placed, with room for the BARs of `room`.
    pub fn new(
        ram_bytes: u64,
        cpus: u32,
        ipa_bits: u32,
        gic: Gic,
        room: &BarRoom,
    ) -> Result<Layout, LayoutError> {
        check_size(ram_bytes, ipa_bits)?;
        gic.check()?;
        let per_cpu = per_cpu(cpus, gic)?;
        let end = 1u64 << ipa_bits;
        let most = end - RAM_START;
        let ram = Span::from_len(RAM_START, ram_bytes)
            .filter(|ram| ram.last() < end)
            .ok_or(LayoutError::RamTooBig { ram: ram_bytes, bits: ipa_bits, most })?;
        let msi = gic.msi().span()?;
        if msi.last() >= end {
            return Err(LayoutError::MsiFramePlace { base: msi.start(), align: msi.len().unwrap_or(0) });
        }
        let mmio64 = high_window(ram.last(), ipa_bits, room)?;
        let per_cpu_name = match gic {
            Gic::V2 { .. } => "interrupt controller's processor interface",
            Gic::V3 { .. } => "interrupt controller's redistributors",
        };
        let mut spans = vec![
            (RAM, ram),
            ("serial port", UART),
            ("clock", CLOCK),
            (BARS_LOW, MMIO32),
            (ECAM, ECAM_SPAN),
            ("interrupt controller's distributor", GICD),
            (per_cpu_name, per_cpu),
            (gic.msi().name(), msi),
        ];
        spans.extend(mmio64.map(|span| (BARS_HIGH, span)));
        Ok(Layout { ram, mmio64, gic, per_cpu, msi, spans: sort_disjoint(spans)? })
    }

    /// RAM: one range.
    pub fn ram(&self) -> Vec<Span> {
        vec![self.ram]
    }

    /// The same, where one is known to be all.
    pub fn ram_span(&self) -> Span {
        self.ram
    }

    /// The PCI host bridge.
    pub fn pci(&self) -> PciShape {
        PciShape { ecam: ECAM_SPAN, last_bus: LAST_BUS, mmio32: MMIO32, mmio64: self.mmio64 }
    }

    /// The serial port (16550, one byte for each register).
    pub fn uart(&self) -> Span {
        UART
    }

    /// The clock of the day (PL031).
    pub fn clock(&self) -> Span {
        CLOCK
    }

    /// The interrupt controller.
    pub fn gic(&self) -> Gic {
        self.gic
    }

    /// The interrupt controller's distributor.
    pub fn gic_distributor(&self) -> Span {
        GICD
    }

    /// GICv3: the redistributors, 128 KiB for each processor in order. GICv2: the processor interface.
    pub fn gic_per_cpu(&self) -> Span {
        self.per_cpu
    }

    /// The MSI frame.
    pub fn msi_frame(&self) -> Span {
        self.msi
    }

    /// Every occupied range with its name, in order of addresses.
    pub fn spans(&self) -> Vec<NamedSpan> {
        self.spans.clone()
    }

    /// The ranges that a device may be told to reach by DMA: RAM and BAR windows. No reserved region of the host's IOMMU
    /// may overlap one of these; the others of [`Layout::spans`] may lie in one.
    pub fn dma_spans(&self) -> Vec<NamedSpan> {
        let reachable = [RAM, BARS_LOW, BARS_HIGH];
        self.spans.iter().filter(|(name, _)| reachable.contains(name)).copied().collect()
    }
}

fn per_cpu(cpus: u32, gic: Gic) -> Result<Span, LayoutError> {
    let most = match gic {
        Gic::V2 { .. } => V2_MOST_CPUS,
        Gic::V3 { .. } => MOST_CPUS,
    };
    if !(1..=most).contains(&cpus) {
        return Err(LayoutError::Cpus { cpus, most });
    }
    match gic {
        Gic::V2 { .. } => Ok(GICC),
        Gic::V3 { .. } => Ok(fixed(GICD.start() - u64::from(cpus) * GICR_EACH, GICD.start() - 1)),
    }
}

#[cfg(test)]
mod tests;
