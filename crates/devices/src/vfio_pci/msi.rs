//! MSI: up to 32 vectors, enabled as one block.
//!
//! A masked vector has no event at VFIO: the kernel keeps it masked in the device, whose pending bit the guest reads.

use std::io;
use std::sync::Arc;

use data_model::Bdf;
use vfio::{IrqAction, PciIrq};

use super::config::GuestConfig;
use super::host::Host;
use super::layout::MsiPlace;
use crate::irq::{MsiController, MsiMessage, MsiVector};

/// What the guest has programmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Programmed {
    message: MsiMessage,
    /// Vectors enabled.
    count: u8,
    /// One bit for each masked vector.
    mask: u32,
}

struct Way {
    vector: Arc<dyn MsiVector>,
    routed: Option<MsiMessage>,
    /// VFIO has its event.
    bound: bool,
}

/// The MSI state of a device.
pub(super) struct Msi {
    place: MsiPlace,
    requester: Bdf,
    controller: Arc<dyn MsiController>,
    ways: Vec<Way>,
    /// Vectors enabled at VFIO; 0 when off.
    enabled: u8,
}

impl Msi {
    pub fn new(place: MsiPlace, requester: Bdf, controller: Arc<dyn MsiController>) -> Msi {
        Msi { place, requester, controller, ways: Vec::new(), enabled: 0 }
    }

    /// Whether the guest has switched MSI on.
    pub fn wanted(&self, config: &GuestConfig) -> bool {
        config.u16(self.place.at + 2) & 1 != 0
    }

    /// Makes VFIO and the routes follow what the guest has programmed.
    pub fn follow(&mut self, host: &Host, config: &GuestConfig) {
        if !self.wanted(config) {
            return self.disable(host);
        }
        let programmed = self.programmed(config);
        if self.enabled != programmed.count {
            self.disable(host);
        }
        let count = usize::from(programmed.count);
        while self.ways.len() < count {
            match self.controller.vector(self.requester) {
                Ok(vector) => self.ways.push(Way { vector, routed: None, bound: false }),
                Err(error) => return host.complain("get an interrupt for MSI", &error),
            }
        }
        let open: Vec<bool> = (0..count).map(|index| self.route(host, &programmed, index)).collect();
        let result = if self.enabled == 0 { self.enable(host, &open) } else { self.rebind(host, &open) };
        if let Err(error) = result {
            host.complain("enable MSI", &error);
        }
    }

    /// Switches MSI off at VFIO.
    pub fn disable(&mut self, host: &Host) {
        if std::mem::take(&mut self.enabled) == 0 {
            return;
        }
        if let Err(error) = host.device.set_irqs(PciIrq::Msi, IrqAction::Disable) {
            host.complain("disable MSI", &error);
        }
        self.ways.iter_mut().for_each(|way| way.bound = false);
    }

    fn programmed(&self, config: &GuestConfig) -> Programmed {
        let MsiPlace { at, form, vectors } = self.place;
        let control = config.u16(at + 2);
        let count = (1u8 << (control >> 4 & 7).min(5)).min(vectors);
        let upper = if form.wide { config.u32(at + 8) } else { 0 };
        let address = u64::from(upper) << 32 | u64::from(config.u32(at + 4));
        let data = config.u16(at + form.data() as u16).into();
        let mask = if form.maskable { config.u32(at + form.mask() as u16) } else { 0 };
        Programmed { message: MsiMessage { address, data }, count, mask }
    }

    /// Brings one route in step; whether the vector may interrupt.
    fn route(&mut self, host: &Host, programmed: &Programmed, index: usize) -> bool {
        if programmed.mask >> index & 1 != 0 {
            return false;
        }
        let Some(way) = self.ways.get_mut(index) else { return false };
        // The device puts the vector's number into the low bits of the data.
        let low = u32::from(programmed.count) - 1;
        let data = programmed.message.data & !low | index as u32;
        let message = MsiMessage { data, ..programmed.message };
        if way.routed == Some(message) {
            return true;
        }
        way.routed = None;
        match way.vector.route(message) {
            Ok(()) => way.routed = Some(message),
            Err(error) => host.complain(&format!("route MSI vector {index}"), &error),
        }
        way.routed.is_some()
    }

    /// Switches the block on, with an event for each open vector.
    fn enable(&mut self, host: &Host, open: &[bool]) -> io::Result<()> {
        let events: Vec<_> =
            self.ways.iter().zip(open).map(|(way, open)| open.then(|| way.vector.event())).collect();
        host.device.set_irqs(PciIrq::Msi, IrqAction::Trigger { start: 0, events: &events })?;
        self.enabled = open.len() as u8;
        self.ways.iter_mut().zip(open).for_each(|(way, open)| way.bound = *open);
        Ok(())
    }

    /// Gives and takes single events of a block that is on.
    fn rebind(&mut self, host: &Host, open: &[bool]) -> io::Result<()> {
        for (index, (way, open)) in self.ways.iter_mut().zip(open).enumerate() {
            if way.bound != *open {
                let event = open.then(|| way.vector.event());
                let action = IrqAction::Trigger { start: index as u32, events: &[event] };
                host.device.set_irqs(PciIrq::Msi, action)?;
                way.bound = *open;
            }
        }
        Ok(())
    }
}
