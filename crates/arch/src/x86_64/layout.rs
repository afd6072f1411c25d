//! The address map of a guest on x86_64.
//!
//! Invariant: no two parts overlap, and all lie below the guest's last physical address.

use data_model::Span;

use crate::PciShape;
use crate::span_map::{
    BARS_HIGH, BARS_LOW, BarRoom, ECAM, GIB, LayoutError, NamedSpan, RAM, check_size, fixed, high_window,
    sort_disjoint,
};

const LOW_RAM_MOST: u64 = 2 * GIB;
const HIGH_RAM: u64 = 4 * GIB;
const LAST_BUS: u8 = 255;
const MMIO32: Span = fixed(0x8000_0000, 0xdfff_ffff);
const ECAM_SPAN: Span = fixed(0xe000_0000, 0xefff_ffff);
pub(super) const IOAPIC: Span = fixed(0xfec0_0000, 0xfec0_0fff);
pub(super) const LAPIC: Span = fixed(0xfee0_0000, 0xfeef_ffff);
const KVM_PAGES: Span = fixed(KVM_IDENTITY_MAP, 0xfffb_ffff);

/// Where KVM may put its one-page identity map.
pub const KVM_IDENTITY_MAP: u64 = 0xfffb_c000;
/// Where KVM may put its three-page task state segment.
pub const KVM_TSS: u64 = 0xfffb_d000;

/// Where everything is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    low: Span,
    high: Option<Span>,
    mmio64: Option<Span>,
    spans: Vec<NamedSpan>,
}

impl Layout {
    /// The map for `ram_bytes` of RAM, guest-physical addresses of `phys_bits` bits, and the BARs of `room`.
    pub fn new(ram_bytes: u64, phys_bits: u32, room: &BarRoom) -> Result<Layout, LayoutError> {
        check_size(ram_bytes, phys_bits)?;
        let end = 1u64 << phys_bits;
        let most = LOW_RAM_MOST + (end - HIGH_RAM);
        if ram_bytes > most {
            return Err(LayoutError::RamTooBig { ram: ram_bytes, bits: phys_bits, most });
        }
        let low = fixed(0, ram_bytes.min(LOW_RAM_MOST) - 1);
        let high = Span::from_len(HIGH_RAM, ram_bytes.saturating_sub(LOW_RAM_MOST));
        let mmio64 = high_window(high.unwrap_or(low).last(), phys_bits, room)?;
        let mut spans = vec![(RAM, low)];
        spans.extend(high.map(|span| (RAM, span)));
        spans.extend(mmio64.map(|span| (BARS_HIGH, span)));
        spans.extend([
            (BARS_LOW, MMIO32),
            (ECAM, ECAM_SPAN),
            ("I/O interrupt controller", IOAPIC),
            ("interrupt messages and local interrupt controller", LAPIC),
            ("pages kept for the hypervisor", KVM_PAGES),
        ]);
        Ok(Layout { low, high, mmio64, spans: sort_disjoint(spans)? })
    }

    /// RAM: below 4 GiB, then above where there is more.
    pub fn ram(&self) -> Vec<Span> {
        [self.low].into_iter().chain(self.high).collect()
    }

    /// The RAM below 4 GiB, where everything is loaded.
    pub fn low_ram(&self) -> Span {
        self.low
    }

    /// The PCI host bridge.
    pub fn pci(&self) -> PciShape {
        PciShape { ecam: ECAM_SPAN, last_bus: LAST_BUS, mmio32: MMIO32, mmio64: self.mmio64 }
    }

    /// The I/O interrupt controller's registers.
    pub fn ioapic(&self) -> Span {
        IOAPIC
    }

    /// Where interrupt messages are written; each processor's local interrupt controller answers in the first page.
    pub fn lapic(&self) -> Span {
        LAPIC
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

#[cfg(test)]
mod tests;
