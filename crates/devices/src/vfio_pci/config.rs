//! The configuration space as the guest sees it: part emulated, part the device's.
//!
//! Invariant: a byte is written to the device only when [`Layout`] says that it is the device's, and then without the bits
//! that would reset it, move it to another power state or change its stored product data.

use vfio::PciRegion;

use super::error::VfioPciError;
use super::host::Host;
use super::layout::{BYTES, Facts, Layout, MsiPlace, MsixPlace, Owner};
use crate::pci::{BarKind, BarWindow, ConfigSpace, Identity, regs};

/// Size of the configuration space of a device that has no extended one.
const SHORT: u64 = 256;

/// The power state in which a function answers configuration accesses only.
pub(super) const D3_HOT: u8 = 3;

/// What a guest write asks for beyond the bytes it changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Effects {
    /// The command register or a BAR was written.
    pub decode: bool,
    /// MSI or MSI-X was written.
    pub interrupts: bool,
    /// The function is to be reset.
    pub reset: bool,
    /// The function is to go to this power state, 0 to 3.
    pub power: Option<u8>,
}

/// What leads from the machine to a function besides memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wires {
    /// An interrupt line.
    pub intx: bool,
    /// A port space.
    pub ports: bool,
}

/// The space.
pub(super) struct GuestConfig {
    space: ConfigSpace,
    layout: Layout,
}

impl GuestConfig {
    /// Reads the device's space and works the guest's view out.
    pub fn new(host: &Host, wires: Wires) -> Result<GuestConfig, VfioPciError> {
        let device = &host.device;
        let name = || device.name().to_owned();
        let failed = |source| VfioPciError::Config { device: name(), source };
        let mut physical = vec![0; BYTES];
        let size = device.region(PciRegion::Config).size.clamp(SHORT, BYTES as u64) as usize;
        device.read(PciRegion::Config, 0, &mut physical[..size]).map_err(failed)?;
        let header = physical[usize::from(regs::HEADER_TYPE)] & 0x7f;
        if header != 0 {
            return Err(VfioPciError::Header { device: name(), header });
        }
        let facts = facts(host, wires.intx);
        let layout = Layout::new(&physical, &facts);
        let mut config = GuestConfig { space: ConfigSpace::device(&Identity::default()), layout };
        config.space.set(0, &config.layout.image);
        config.add_bars(&physical, &facts, host, wires.ports)?;
        config.allow_interrupts();
        config.space.seal();
        Ok(config)
    }

    /// Without ports a BAR of them reads as one that does not exist: Linux does not enable a device at all for a driver that
    /// asks for every resource, when one of them has no place.
    fn add_bars(
        &mut self,
        physical: &[u8],
        facts: &Facts,
        host: &Host,
        ports: bool,
    ) -> Result<(), VfioPciError> {
        let mut upper_half = false;
        for (bar, size) in (0u8..).zip(facts.bars) {
            if std::mem::take(&mut upper_half) || size == 0 {
                continue;
            }
            let at = usize::from(regs::BAR0) + 4 * usize::from(bar);
            let register =
                u32::from_le_bytes([physical[at], physical[at + 1], physical[at + 2], physical[at + 3]]);
            let kind = BarKind::from_bits(register & 0xf);
            if kind.is_io() && !ports {
                continue;
            }
            let least = if kind.is_io() { 4 } else { 16 };
            let bad = || VfioPciError::Bar { device: host.device.name().into(), bar, size, register };
            let rounded = size.max(least).checked_next_power_of_two().ok_or_else(bad)?;
            self.space.add_bar(bar, kind, rounded).map_err(|_| bad())?;
            upper_half = kind.is_64();
        }
        Ok(())
    }

    /// Lets the guest write what MSI and MSI-X have for it.
    fn allow_interrupts(&mut self) {
        if let Some(msi) = self.layout.msi {
            self.space.allow(msi.at + 2, &[0x71]);
            self.space.allow(msi.at + 4, &[0xfc, 0xff, 0xff, 0xff]);
            if msi.form.wide {
                self.space.allow(msi.at + 8, &[0xff; 4]);
            }
            self.space.allow(msi.at + msi.form.data() as u16, &[0xff; 2]);
            if msi.form.maskable {
                let mask = u32::MAX >> (32 - u32::from(msi.vectors));
                self.space.allow(msi.at + msi.form.mask() as u16, &mask.to_le_bytes());
            }
        }
        if let Some(msix) = self.layout.msix {
            self.space.allow(msix.at + 3, &[0xc0]);
        }
    }

    /// Guest read.
    pub fn read(&self, host: &Host, offset: u16, data: &mut [u8]) {
        let all_ours = (0..data.len()).all(|n| self.owner(usize::from(offset) + n) == Owner::Emulated);
        if !all_ours {
            host.read(PciRegion::Config, offset.into(), data);
        }
        for (n, byte) in data.iter_mut().enumerate() {
            let at = offset.saturating_add(n as u16);
            if self.owner(at.into()) == Owner::Emulated {
                *byte = self.space.u8(at);
            } else if at == regs::STATUS {
                let list = regs::STATUS_CAPABILITIES as u8;
                *byte = if self.layout.has_list { *byte | list } else { *byte & !list };
            }
        }
    }

    /// Guest write. The command register is not passed on: that is the caller's, who knows when.
    pub fn write(&mut self, host: &Host, offset: u16, data: &[u8]) -> Effects {
        self.space.write(offset, data);
        let end = usize::from(offset) + data.len();
        let touches =
            |at: u16, len: u16| usize::from(offset) < usize::from(at + len) && usize::from(at) < end;
        let mut effects = Effects {
            decode: touches(regs::COMMAND, 2) || touches(regs::BAR0, 24),
            interrupts: self.layout.msi.is_some_and(|msi| touches(msi.at, msi.form.len() as u16))
                || self.layout.msix.is_some_and(|msix| touches(msix.at, 4)),
            ..Effects::default()
        };
        let mut run: Vec<u8> = Vec::with_capacity(data.len());
        for (n, byte) in data.iter().enumerate() {
            let at = usize::from(offset) + n;
            match self.filter(at, *byte, &mut effects) {
                Some(byte) => run.push(byte),
                None => flush(host, at, &mut run),
            }
        }
        flush(host, end, &mut run);
        effects
    }

    /// What of a guest's byte may go to the device.
    fn filter(&self, at: usize, byte: u8, effects: &mut Effects) -> Option<u8> {
        let layout = &self.layout;
        let is = |capability: Option<u16>, register: usize| {
            capability.is_some_and(|capability| usize::from(capability) + register == at)
        };
        if is(layout.advanced, 4) {
            effects.reset |= byte & 1 != 0;
        }
        if self.owner(at) != Owner::Device {
            return None;
        }
        if is(layout.power, 4) {
            effects.power = Some(byte & 3);
            return None;
        }
        // The rest of the power register: PME, which the guest does not have.
        if is(layout.power, 5) {
            return None;
        }
        if is(layout.express, 9) {
            effects.reset |= byte & 0x80 != 0;
            return Some(byte & 0x7f);
        }
        // The flag with which a write of product data starts: it would outlive the guest.
        if is(layout.vpd, 3) && byte & 0x80 != 0 {
            return None;
        }
        Some(byte)
    }

    /// Passes a power state on.
    pub fn set_power(&self, host: &Host, state: u8) {
        if let Some(power) = self.layout.power {
            host.write(PciRegion::Config, u64::from(power) + 4, &[state & 3]);
        }
    }

    /// Whether the device is in a power state in which its BARs can be used. The device is asked: the kernel takes the write of
    /// a state, answers that it was written, and may have refused to go there.
    pub fn is_awake(&self, host: &Host) -> bool {
        let Some(power) = self.layout.power else { return true };
        let mut status = [0; 1];
        // Ones, which is D3hot too, where it cannot be read.
        host.read(PciRegion::Config, u64::from(power) + 4, &mut status);
        status[0] & 3 != D3_HOT
    }

    /// The command register as the guest wrote it.
    pub fn command(&self) -> u16 {
        self.space.u16(regs::COMMAND)
    }

    /// What the BARs decode.
    pub fn windows(&self) -> Vec<BarWindow> {
        self.space.windows()
    }

    /// The guest sees an interrupt pin.
    pub fn has_intx(&self) -> bool {
        self.space.u8(regs::INTERRUPT_PIN) != 0
    }

    /// The MSI capability that is shown.
    pub fn msi(&self) -> Option<MsiPlace> {
        self.layout.msi
    }

    /// The MSI-X capability that is shown.
    pub fn msix(&self) -> Option<MsixPlace> {
        self.layout.msix
    }

    /// An emulated 16-bit register.
    pub fn u16(&self, offset: u16) -> u16 {
        self.space.u16(offset)
    }

    /// An emulated 32-bit register.
    pub fn u32(&self, offset: u16) -> u32 {
        self.space.u32(offset)
    }

    /// Emulated registers back to power-on.
    pub fn reset(&mut self) {
        self.space.reset();
    }

    fn owner(&self, at: usize) -> Owner {
        self.layout.owners.get(at).copied().unwrap_or(Owner::Emulated)
    }
}

/// Writes the bytes gathered so far, which end before `end`.
fn flush(host: &Host, end: usize, run: &mut Vec<u8>) {
    if !run.is_empty() {
        host.write(PciRegion::Config, (end - run.len()) as u64, run);
        run.clear();
    }
}

fn facts(host: &Host, intx: bool) -> Facts {
    use vfio::PciIrq;
    let device = &host.device;
    let count = |irq| Some(device.irq(irq)).filter(|info| info.eventfd).map_or(0, |info| info.count);
    Facts {
        bars: [0, 1, 2, 3, 4, 5].map(|bar| device.region(PciRegion::Bar(bar)).size),
        msi: count(PciIrq::Msi),
        msix: count(PciIrq::Msix),
        intx: intx && count(PciIrq::Intx) > 0,
    }
}
