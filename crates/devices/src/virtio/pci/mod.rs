//! Virtio over PCI, modern devices only: a [`VirtioDevice`] as a [`PciFunction`].
//!
//! Locks: the function's own lock is held around every method here. Device threads reach the [`Interrupt`] only.

mod common;
mod doorbells;
mod interrupt;
mod layout;
mod life;
mod seat;
mod start;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use data_model::Bdf;
use thiserror::Error;

use self::common::Common;
use self::doorbells::Kicks;
use self::interrupt::Interrupt;
use self::layout::{Capabilities, Region};
use self::seat::Seat;
use super::device::VirtioDevice;
use super::dma::Dma;
use crate::irq::{IrqLine, MsiController};
use crate::pci::{BarWindow, ConfigError, ConfigSpace, ExpressKind, MsixTable, PciFunction, regs};
use crate::slots::Doorbells;

/// What the transport needs of the machine.
pub struct PciDeps {
    /// Address of the function: requester of its MSIs.
    pub at: Bdf,
    /// The memory that the device may use. Where addresses are translated, the driver must accept ACCESS_PLATFORM.
    pub mem: Dma,
    /// Gives the MSI-X vectors, translated where an IOMMU of the guest translates them.
    pub msi: Arc<dyn MsiController>,
    /// Binds the kicks.
    pub doorbells: Arc<dyn Doorbells>,
    /// INTA, for drivers without MSI-X; `None`: the function has no pin.
    pub line: Option<Arc<dyn IrqLine>>,
}

/// A device cannot be put on PCI.
#[derive(Debug, Error)]
pub enum VirtioPciError {
    /// More queues than the transport has doorbells for.
    #[error(
        "{at}: {device}: {count} queues are more than the {} that virtio-pci has room for",
        layout::MAX_QUEUES
    )]
    Queues {
        /// The function.
        at: Bdf,
        /// The device.
        device: &'static str,
        /// Its queues.
        count: usize,
    },
    /// The configuration space has no room.
    #[error("{at}: {device}: {source}")]
    Config {
        /// The function.
        at: Bdf,
        /// The device.
        device: &'static str,
        /// What does not fit.
        source: ConfigError,
    },
    /// The host gives no event for a queue.
    #[error("{at}: {device}: cannot make an event for a queue: {source}")]
    Event {
        /// The function.
        at: Bdf,
        /// The device.
        device: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

/// A virtio device on PCI.
pub struct VirtioPciDevice {
    seat: Seat,
    name: &'static str,
    at: Bdf,
    mem: Dma,
    config: ConfigSpace,
    places: Capabilities,
    common: Common,
    interrupt: Arc<Interrupt>,
    kicks: Kicks,
    /// Goes on without bus mastering.
    steadfast: bool,
    /// DRIVER_OK is set, but the device waits for bus mastering.
    waiting: bool,
    /// The driver asked for a reset that is not complete.
    resetting: bool,
    /// How long an access waits for the device to stop.
    grace: Duration,
    complained: bool,
}

impl VirtioPciDevice {
    /// Puts `device` on PCI.
    pub fn new(device: Box<dyn VirtioDevice>, deps: PciDeps) -> Result<VirtioPciDevice, VirtioPciError> {
        let (at, name) = (deps.at, device.name());
        let sizes = device.queue_sizes();
        let count = sizes.len();
        if count > layout::MAX_QUEUES {
            return Err(VirtioPciError::Queues { at, device: name, count });
        }
        let vectors = count as u16 + 1;
        let kind = if at.bus() == 0 { ExpressKind::RootComplexEndpoint } else { ExpressKind::Endpoint };
        let built = layout::build(device.device_id(), kind, count, vectors);
        let (mut config, places) =
            built.map_err(|source| VirtioPciError::Config { at, device: name, source })?;
        config.set_u8(regs::INTERRUPT_PIN, deps.line.is_some().into());
        config.seal();
        let msix = MsixTable::new(deps.msi, at, vectors);
        let kicks = Kicks::new(deps.doorbells, count);
        let kicks = kicks.map_err(|source| VirtioPciError::Event { at, device: name, source })?;
        let common = Common::new(device.features(), required(&deps.mem), sizes);
        let interrupt = Arc::new(Interrupt::new(msix, deps.line, count));
        Ok(VirtioPciDevice {
            steadfast: device.is_steadfast(),
            waiting: false,
            resetting: false,
            grace: life::GRACE,
            seat: Seat::Here(device),
            name,
            at,
            mem: deps.mem,
            config,
            places,
            common,
            interrupt,
            kicks,
            complained: false,
        })
    }

    /// The BAR access that the window capability stands for: offset and length.
    fn window_access(&self) -> Option<(u64, usize)> {
        let at = self.places.window;
        let (bar, offset, length) =
            (self.config.u8(at + 4), self.config.u32(at + 8), self.config.u32(at + 12));
        let fits = bar == layout::BAR && matches!(length, 1 | 2 | 4) && offset.is_multiple_of(length);
        fits.then_some((u64::from(offset), length as usize))
    }

    /// Whether a configuration access touches the window's data.
    fn touches_window(&self, offset: u16, len: usize) -> bool {
        touches(offset, len, self.places.window + 16, 4)
    }
}

/// Features that a driver must accept besides VERSION_1: one that hands out guest-physical addresses would be of no use
/// where they are translated.
fn required(mem: &Dma) -> u64 {
    if mem.is_translated() { common::F_ACCESS_PLATFORM } else { 0 }
}

/// Whether an access of `len` bytes at `offset` touches a register of `size` bytes at `register`.
fn touches(offset: u16, len: usize, register: u16, size: usize) -> bool {
    let (offset, register) = (usize::from(offset), usize::from(register));
    offset < register + size && register < offset + len
}

impl PciFunction for VirtioPciDevice {
    fn config_read(&mut self, offset: u16, data: &mut [u8]) {
        if touches(offset, data.len(), regs::STATUS, 2) {
            let status = self.config.u16(regs::STATUS) & !regs::STATUS_INTX;
            let pending = if self.interrupt.line_pending() { regs::STATUS_INTX } else { 0 };
            self.config.set_u16(regs::STATUS, status | pending);
        }
        if self.touches_window(offset, data.len())
            && let Some((place, len)) = self.window_access()
        {
            let mut value = [0; 4];
            self.bar_read(layout::BAR, place, value.get_mut(..len).unwrap_or_default());
            self.config.set(self.places.window + 16, &value);
        }
        self.config.read(offset, data);
    }

    fn config_write(&mut self, offset: u16, data: &[u8]) {
        self.settle(Duration::ZERO);
        self.config.write(offset, data);
        if self.touches_window(offset, data.len())
            && let Some((place, len)) = self.window_access()
        {
            let value = self.config.u32(self.places.window + 16).to_le_bytes();
            self.bar_write(layout::BAR, place, value.get(..len).unwrap_or_default());
        }
        if touches(offset, data.len(), regs::COMMAND, 2) {
            self.interrupt.set_line_off(self.config.u16(regs::COMMAND) & regs::COMMAND_INTX_OFF != 0);
            self.follow_master();
        }
        if touches(offset, data.len(), self.places.msix + 2, 2) {
            self.follow_msix();
        }
        self.follow_bar();
    }

    fn windows(&self) -> Vec<BarWindow> {
        self.config.windows()
    }

    fn bar_read(&mut self, bar: u8, offset: u64, data: &mut [u8]) {
        data.fill(0);
        if bar != layout::BAR {
            return data.fill(0xff);
        }
        self.settle(Duration::ZERO);
        match layout::region(offset) {
            Region::Common(at) => self.common.read(at, data, &self.interrupt),
            Region::Isr => {
                if let Some(byte) = data.first_mut() {
                    *byte = self.interrupt.take_isr();
                }
            }
            Region::Device(at) => {
                if let Some(device) = self.seat.device() {
                    device.config_read(at, data);
                }
            }
            Region::MsixTable(at) => self.interrupt.with(|ways| ways.msix.table_read(at, data)),
            Region::MsixPending(at) => self.interrupt.with(|ways| ways.msix.pending_read(at, data)),
            Region::Notify(_) | Region::Nothing => {}
        }
    }

    fn bar_write(&mut self, bar: u8, offset: u64, data: &[u8]) {
        if bar != layout::BAR {
            return;
        }
        self.settle(Duration::ZERO);
        match layout::region(offset) {
            Region::Common(at) => self.common_write(at, data),
            Region::Device(at) => {
                let features = self.common.features();
                let allowed = self.seat.device().is_none_or(|it| it.config_write(at, data, features));
                self.interrupt.refuse_unless(allowed);
            }
            Region::Notify(at) if self.started() => self.kicks.ring(at),
            Region::MsixTable(at) => self.interrupt.with(|ways| drop(ways.msix.table_write(at, data))),
            _ => {}
        }
    }

    fn reset(&mut self) {
        if let Some(device) = self.seat.fetch() {
            device.system_reset();
        }
        self.config.reset();
        self.interrupt.with(|ways| ways.msix.reset());
        self.interrupt.set_line_off(false);
        self.clear();
    }
}

impl Drop for VirtioPciDevice {
    fn drop(&mut self) {
        if let Some(device) = self.seat.fetch() {
            device.reset();
        }
    }
}

#[cfg(test)]
mod tests;
