//! Whom each byte of the configuration space belongs to, worked out from an image of the device's.
//!
//! Invariant: BARs, MSI, MSI-X and all links between capabilities are emulated; a damaged image never changes that.

use data_model::Span;

use super::capabilities::{CAP_AF, CAP_MSI, CAP_VPD, Capability, END, MsiForm, walk};
use super::extended;
use crate::pci::regs;

/// Bytes of configuration space.
pub(super) const BYTES: usize = 4096;

/// Whom a byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The device: read from it and written to it.
    Device,
    /// The device, but guest writes are lost.
    DeviceReadOnly,
    /// Us: the device never sees an access.
    Emulated,
}

/// What must be known of the device besides the image.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    /// Bytes of each BAR's region; 0 for none.
    pub bars: [u64; 6],
    /// MSI vectors that VFIO has.
    pub msi: u32,
    /// MSI-X vectors that VFIO has.
    pub msix: u32,
    /// There is an INTx line to the guest, and VFIO has the interrupt.
    pub intx: bool,
}

/// An MSI capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MsiPlace {
    /// Offset of the capability.
    pub at: u16,
    pub form: MsiForm,
    /// Vectors, a power of two up to 32.
    pub vectors: u8,
}

/// An MSI-X capability and its structures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MsixPlace {
    /// Offset of the capability.
    pub at: u16,
    pub vectors: u16,
    /// BAR and bytes of the table.
    pub table: (u8, Span),
    /// BAR and bytes of the pending bits.
    pub pending: (u8, Span),
}

/// The guest's view of the configuration space.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// One for each byte.
    pub owners: Vec<Owner>,
    /// What emulated bytes hold at power-on; nothing in the BARs yet.
    pub image: Vec<u8>,
    /// The guest has a list of capabilities.
    pub has_list: bool,
    pub msi: Option<MsiPlace>,
    pub msix: Option<MsixPlace>,
    /// Offset of power management.
    pub power: Option<u16>,
    /// Offset of PCI Express.
    pub express: Option<u16>,
    /// Offset of the vital product data.
    pub vpd: Option<u16>,
    /// Offset of the advanced features.
    pub advanced: Option<u16>,
}

impl Layout {
    /// Works the view out; `physical` has [`BYTES`] bytes, zeros where the device has none.
    pub fn new(physical: &[u8], facts: &Facts) -> Layout {
        let mut layout = Layout {
            owners: vec![Owner::Emulated; BYTES],
            image: vec![0; BYTES],
            has_list: false,
            msi: None,
            msix: None,
            power: None,
            express: None,
            vpd: None,
            advanced: None,
        };
        layout.header(physical, facts);
        layout.standard(physical, facts);
        layout.extended(physical);
        layout
    }

    fn own(&mut self, at: usize, len: usize, owner: Owner) {
        self.owners.iter_mut().skip(at).take(len).for_each(|place| *place = owner);
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.own(at, bytes.len(), Owner::Emulated);
        self.image.iter_mut().skip(at).zip(bytes).for_each(|(place, byte)| *place = *byte);
    }

    /// The header: all emulated, but for what says or notes who the device is.
    fn header(&mut self, physical: &[u8], facts: &Facts) {
        for (at, len, owner) in [
            (0x00, 4, Owner::DeviceReadOnly),
            (0x06, 2, Owner::Device),
            (0x08, 4, Owner::DeviceReadOnly),
            (0x0c, 2, Owner::Device),
            (0x28, 8, Owner::DeviceReadOnly),
            (0x3e, 2, Owner::DeviceReadOnly),
        ] {
            self.own(at, len, owner);
        }
        let header = usize::from(regs::HEADER_TYPE);
        self.put(header, &[physical[header] & 0x7f]);
        self.put(usize::from(regs::INTERRUPT_PIN), &[u8::from(facts.intx)]);
    }

    /// Standard capabilities, and the device's own registers between them.
    fn standard(&mut self, physical: &[u8], facts: &Facts) {
        self.own(0x40, END - 0x40, Owner::Device);
        let mut chain = walk(physical);
        for capability in &mut chain {
            capability.shown = capability.shown && self.usable(physical, facts, capability);
        }
        for capability in chain.iter().filter(|capability| !capability.shown) {
            let end =
                chain.iter().map(|other| other.at).filter(|at| *at > capability.at).min().unwrap_or(END);
            self.put(capability.at, &vec![0; end - capability.at]);
        }
        let shown: Vec<Capability> = chain.into_iter().filter(|capability| capability.shown).collect();
        for capability in &shown {
            self.body(physical, capability);
        }
        // Last, so that no other capability that a damaged image lays over these can open them again.
        for capability in &shown {
            self.interrupts(physical, capability);
        }
        let mut link = usize::from(regs::CAPABILITIES);
        for capability in &shown {
            self.put(link, &[capability.at as u8]);
            self.put(capability.at, &[capability.id, 0]);
            link = capability.at + 1;
        }
        self.has_list = !shown.is_empty();
    }

    /// Notes where a capability is; whether it can be shown with what VFIO has.
    fn usable(&mut self, physical: &[u8], facts: &Facts, capability: &Capability) -> bool {
        let at = capability.at as u16;
        match capability.id {
            CAP_MSI => self.msi = msi_place(physical, capability.at, facts),
            regs::CAP_MSIX => self.msix = msix_place(physical, capability.at, facts),
            regs::CAP_PM => self.power = Some(at),
            regs::CAP_EXPRESS => self.express = Some(at),
            CAP_VPD => self.vpd = Some(at),
            CAP_AF => self.advanced = Some(at),
            _ => {}
        }
        match capability.id {
            CAP_MSI => self.msi.is_some(),
            regs::CAP_MSIX => self.msix.is_some(),
            _ => true,
        }
    }

    /// The registers of a capability, but for MSI and MSI-X.
    fn body(&mut self, physical: &[u8], capability: &Capability) {
        let at = capability.at;
        let word = |offset: usize| u16::from_le_bytes([physical[at + offset], physical[at + offset + 1]]);
        match capability.id {
            regs::CAP_PM => {
                // No PME: the guest's bus has no wire for it.
                self.put(at + 2, &(word(2) & 0x07ff).to_le_bytes());
                self.own(at + 6, 2, Owner::DeviceReadOnly);
            }
            regs::CAP_EXPRESS => {
                let endpoint = word(2) & !0x01f0;
                self.put(at + 2, &endpoint.to_le_bytes());
                self.own(at + 4, 4, Owner::DeviceReadOnly);
                // The link ends at an emulated port: no power states of it, and no control over the physical one.
                let no_aspm = word(0x0c) & !0x0c00;
                let no_clock_power = word(0x0e) & !0x0004;
                self.put(at + 0x0c, &[no_aspm.to_le_bytes(), no_clock_power.to_le_bytes()].concat());
                self.put(at + 0x10, &[0, 0]);
                self.own(at + 0x12, 2, Owner::DeviceReadOnly);
                if capability.len > 0x14 {
                    self.put(at + 0x14, &[0; 0x10]);
                    self.own(at + 0x24, 4, Owner::DeviceReadOnly);
                    self.own(at + 0x2c, 4, Owner::DeviceReadOnly);
                    let speed = word(0x30) & 0x000f;
                    self.put(at + 0x30, &speed.to_le_bytes());
                    self.own(at + 0x32, 2, Owner::DeviceReadOnly);
                    self.put(at + 0x34, &[0; 8]);
                }
            }
            CAP_AF => self.own(at + 2, 4, Owner::DeviceReadOnly),
            _ => {}
        }
    }

    /// MSI and MSI-X: all emulated.
    fn interrupts(&mut self, physical: &[u8], capability: &Capability) {
        let at = capability.at;
        match (capability.id, self.msi, self.msix) {
            (CAP_MSI, Some(msi), _) => {
                self.put(at, &vec![0; capability.len]);
                let kept = u16::from_le_bytes([physical[at + 2], physical[at + 3]]) & 0x0180;
                let control = kept | (msi.vectors.ilog2() as u16) << 1;
                self.put(at + 2, &control.to_le_bytes());
                if msi.form.maskable {
                    self.own(at + msi.form.pending(), 4, Owner::DeviceReadOnly);
                }
            }
            (regs::CAP_MSIX, _, Some(msix)) => {
                self.put(at, &physical[at..at + capability.len]);
                self.put(at + 2, &(msix.vectors - 1).to_le_bytes());
            }
            _ => {}
        }
    }

    /// The extended space: nothing but what is shown.
    fn extended(&mut self, physical: &[u8]) {
        let shown = extended::shown(physical);
        for capability in &shown {
            let owner = if capability.writable { Owner::Device } else { Owner::DeviceReadOnly };
            self.own(capability.at, capability.len, owner);
        }
        for (at, header) in extended::headers(&shown) {
            self.put(at, &header.to_le_bytes());
        }
    }
}

fn msi_place(physical: &[u8], at: usize, facts: &Facts) -> Option<MsiPlace> {
    let control = u16::from_le_bytes([physical[at + 2], physical[at + 3]]);
    let capable = 1u32 << (control >> 1 & 7).min(5);
    let vectors = 1 << capable.min(facts.msi).checked_ilog2()?;
    Some(MsiPlace { at: at as u16, form: MsiForm::of(control), vectors })
}

/// `None` when VFIO has no vectors, or when the structures do not lie inside BARs of the device.
fn msix_place(physical: &[u8], at: usize, facts: &Facts) -> Option<MsixPlace> {
    let size = u16::from_le_bytes([physical[at + 2], physical[at + 3]]) & 0x07ff;
    let vectors = (u32::from(size) + 1).min(facts.msix);
    let place = |register: usize, len: u64| {
        let raw: [u8; 4] = physical[at + register..at + register + 4].try_into().ok()?;
        let word = u32::from_le_bytes(raw);
        let bar = (word & 7) as u8;
        let span = Span::from_len(u64::from(word & !7), len)?;
        let region = Span::from_len(0, *facts.bars.get(usize::from(bar))?)?;
        region.covers(&span).then_some((bar, span))
    };
    if vectors == 0 {
        return None;
    }
    // The physical structures may be larger than what is shown; all of them stay out of the guest's reach.
    let physical_vectors = u64::from(size) + 1;
    let table = place(4, physical_vectors * 16)?;
    let pending = place(8, physical_vectors.div_ceil(64) * 8)?;
    Some(MsixPlace { at: at as u16, vectors: vectors as u16, table, pending })
}

#[cfg(test)]
mod tests;
