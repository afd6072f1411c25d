//! The assigned device as a PCI function of the guest.
//!
//! Invariants: parts of BARs are in the guest only while the device decodes them, so that no access of the guest can fault in
//! the host; before every reset bus mastering goes off first.

use std::sync::Arc;

use data_model::Bdf;
use vfio::{AssignedDevice, PciRegion};

use super::config::{D3_HOT, GuestConfig, Wires};
use super::direct::DirectParts;
use super::error::VfioPciError;
use super::host::Host;
use super::interrupts::Interrupts;
use super::intx::Intx;
use super::msi::Msi;
use super::msix::Msix;
use crate::irq::{IrqLine, MsiController};
use crate::pci::{BarWindow, PciFunction};
use crate::slots::MemoryMapper;

/// What an assigned device is made of.
pub struct VfioPciParts {
    /// The device of the host.
    pub device: Arc<dyn AssignedDevice>,
    /// Its address in the guest.
    pub requester: Bdf,
    /// Gives the routes of its MSIs, translated where an IOMMU of the guest translates them.
    pub msi: Arc<dyn MsiController>,
    /// Its INTx line; without one the guest sees no interrupt pin.
    pub line: Option<Arc<dyn IrqLine>>,
    /// Whether the machine has a port space; without one the guest sees no BAR of ports.
    pub ports: bool,
    /// Maps its BARs into the guest.
    pub mapper: Arc<dyn MemoryMapper>,
}

/// An assigned device. It is reset when made, with the machine, and when dropped.
pub struct VfioPciDevice {
    host: Host,
    config: GuestConfig,
    direct: DirectParts,
    interrupts: Interrupts,
    /// Not in D3hot, by the device's own word.
    awake: bool,
}

impl VfioPciDevice {
    /// Resets the device and shows it to the guest as after power-on.
    ///
    /// # Errors
    /// Its configuration space cannot be read, it is no plain function, or a BAR cannot be shown or mapped.
    pub fn new(parts: VfioPciParts) -> Result<VfioPciDevice, VfioPciError> {
        let host = Host::new(parts.device);
        host.quiesce();
        let wires = Wires { intx: parts.line.is_some(), ports: parts.ports };
        let config = GuestConfig::new(&host, wires)?;
        let direct = DirectParts::new(&host, parts.mapper, config.msix().as_ref())?;
        let intx = parts.line.filter(|_| config.has_intx()).map(Intx::new).transpose();
        let intx =
            intx.map_err(|source| VfioPciError::Event { device: host.device.name().into(), source })?;
        let msi = config.msi().map(|place| Msi::new(place, parts.requester, parts.msi.clone()));
        let msix = config.msix().map(|place| {
            let resizable = host.device.irq(vfio::PciIrq::Msix).resizable;
            Msix::new(place, resizable, parts.requester, parts.msi)
        });
        let interrupts = Interrupts { intx, msi, msix };
        let awake = config.is_awake(&host);
        let mut device = VfioPciDevice { host, config, direct, interrupts, awake };
        device.interrupts.follow(&device.host, &device.config);
        Ok(device)
    }

    /// The device's name on the host.
    pub fn name(&self) -> &str {
        self.host.device.name()
    }

    /// Brings the direct parts, and the device's own command register, in step with the guest's registers.
    fn follow_decode(&mut self) {
        let windows = self.windows();
        self.direct.withdraw(&self.host, &windows);
        self.host.set_command(self.config.command());
        self.direct.place(&self.host, &windows);
    }

    /// In D3hot the device decodes nothing: its parts leave the guest before, and come back once the device says that it is
    /// awake. The kernel refuses to go from there to D1 or D2, and silently: an access to a part would end the guest.
    fn set_power(&mut self, state: u8) {
        self.awake &= state != D3_HOT;
        self.direct.withdraw(&self.host, &self.windows());
        self.config.set_power(&self.host, state);
        self.awake = self.config.is_awake(&self.host);
        let windows = self.windows();
        self.direct.withdraw(&self.host, &windows);
        self.direct.place(&self.host, &windows);
    }

    /// Takes everything away from the device and the guest, and resets the device.
    fn stop(&mut self) {
        self.direct.withdraw(&self.host, &[]);
        self.interrupts.disable(&self.host);
        if !self.awake {
            self.config.set_power(&self.host, 0);
        }
        self.host.quiesce();
        self.awake = self.config.is_awake(&self.host);
    }
}

impl PciFunction for VfioPciDevice {
    fn config_read(&mut self, offset: u16, data: &mut [u8]) {
        self.config.read(&self.host, offset, data);
    }

    fn config_write(&mut self, offset: u16, data: &[u8]) {
        let effects = self.config.write(&self.host, offset, data);
        if effects.reset {
            return self.reset();
        }
        if let Some(state) = effects.power {
            self.set_power(state);
        }
        if effects.decode {
            self.follow_decode();
        }
        if effects.interrupts {
            self.interrupts.follow(&self.host, &self.config);
        }
    }

    fn windows(&self) -> Vec<BarWindow> {
        if self.awake { self.config.windows() } else { Vec::new() }
    }

    fn bar_read(&mut self, bar: u8, offset: u64, data: &mut [u8]) {
        let answered =
            self.interrupts.msix.as_ref().is_some_and(|msix| msix.read(&self.host, bar, offset, data));
        if !answered {
            self.direct.trapped(&self.host, bar, offset);
            self.host.read(PciRegion::Bar(bar), offset, data);
        }
    }

    fn bar_write(&mut self, bar: u8, offset: u64, data: &[u8]) {
        let taken =
            self.interrupts.msix.as_mut().is_some_and(|msix| msix.write(&self.host, bar, offset, data));
        if !taken {
            self.direct.trapped(&self.host, bar, offset);
            self.host.write(PciRegion::Bar(bar), offset, data);
        }
    }

    fn reset(&mut self) {
        self.stop();
        self.config.reset();
        self.interrupts.follow(&self.host, &self.config);
    }
}

impl Drop for VfioPciDevice {
    fn drop(&mut self) {
        self.stop();
    }
}
