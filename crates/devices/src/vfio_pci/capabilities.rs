//! Which standard capabilities a guest gets to see, and the chain through them.
//!
//! Invariant: the chain of the guest visits only offsets inside 0x40–0xff, each once, in the device's order.

use crate::pci::regs;

/// Message signalled interrupts.
pub(super) const CAP_MSI: u8 = 0x05;
/// Vital product data.
pub(super) const CAP_VPD: u8 = 0x03;
/// Advanced features: reset of a conventional function.
pub(super) const CAP_AF: u8 = 0x13;
const CAP_PCIX: u8 = 0x07;
const CAP_SUBSYSTEM: u8 = 0x0d;
const CAP_SATA: u8 = 0x12;

/// First offset that a capability can have.
const FIRST: usize = 0x40;
/// End of the standard space.
pub(super) const END: usize = 0x100;

/// A standard capability of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Capability {
    pub id: u8,
    /// Offset of its id.
    pub at: usize,
    /// Bytes it takes; never past the end of the standard space.
    pub len: usize,
    /// The guest may see it.
    pub shown: bool,
}

/// The device's chain, in its order. A damaged chain ends where the damage is.
pub(super) fn walk(image: &[u8]) -> Vec<Capability> {
    let mut found: Vec<Capability> = Vec::new();
    let has_list = image[usize::from(regs::STATUS)] & regs::STATUS_CAPABILITIES as u8 != 0;
    let mut at = if has_list { next(image, usize::from(regs::CAPABILITIES)) } else { 0 };
    while at >= FIRST && found.iter().all(|seen| seen.at != at) {
        let id = image[at];
        let full = length(image, id, at);
        let shown = is_known(id) && at + full <= END && !repeats(&found, id);
        found.push(Capability { id, at, len: full.min(END - at), shown });
        at = next(image, at + 1);
    }
    found
}

/// Whether a second capability of the same kind follows a first; only vendor-specific ones may.
fn repeats(found: &[Capability], id: u8) -> bool {
    id != regs::CAP_VENDOR && found.iter().any(|seen| seen.id == id)
}

/// What a guest can use. All else is hidden: it is about the bus that the guest does not have, or unknown.
fn is_known(id: u8) -> bool {
    const KNOWN: [u8; 10] = [
        regs::CAP_PM,
        regs::CAP_VENDOR,
        regs::CAP_EXPRESS,
        regs::CAP_MSIX,
        CAP_MSI,
        CAP_VPD,
        CAP_AF,
        CAP_PCIX,
        CAP_SUBSYSTEM,
        CAP_SATA,
    ];
    KNOWN.contains(&id)
}

/// The pointer at `place`.
fn next(image: &[u8], place: usize) -> usize {
    usize::from(image[place] & 0xfc)
}

/// Bytes of the capability `id` at `at`, as its own fields tell.
fn length(image: &[u8], id: u8, at: usize) -> usize {
    match id {
        CAP_MSI => MsiForm::of(u16::from_le_bytes([image[at + 2], image[at + 3]])).len(),
        regs::CAP_MSIX => 12,
        regs::CAP_VENDOR => usize::from(image[at + 2]).max(3),
        // Version 1 of an endpoint ends before the slot registers.
        regs::CAP_EXPRESS if image[at + 2] & 0xf < 2 => 0x14,
        regs::CAP_EXPRESS => 0x3c,
        CAP_AF => 6,
        CAP_SATA | CAP_SUBSYSTEM | CAP_PCIX | CAP_VPD | regs::CAP_PM => 8,
        _ => 2,
    }
}

/// Which of its fields an MSI capability has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MsiForm {
    /// Addresses have 64 bits.
    pub wide: bool,
    /// Each vector can be masked.
    pub maskable: bool,
}

impl MsiForm {
    /// From message control.
    pub fn of(control: u16) -> MsiForm {
        MsiForm { wide: control & 0x80 != 0, maskable: control & 0x100 != 0 }
    }

    /// Offset of the message data.
    pub fn data(self) -> usize {
        if self.wide { 12 } else { 8 }
    }

    /// Offset of the mask bits.
    pub fn mask(self) -> usize {
        self.data() + 4
    }

    /// Offset of the pending bits.
    pub fn pending(self) -> usize {
        self.data() + 8
    }

    /// Bytes of the capability.
    pub fn len(self) -> usize {
        if self.maskable { self.data() + 12 } else { self.data() + 4 }
    }
}

#[cfg(test)]
mod tests;
