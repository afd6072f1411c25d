//! MSI-X: the guest's table is emulated, its open vectors have their events at VFIO.
//!
//! A masked vector has no event at VFIO: the kernel keeps it masked in the device, whose pending bit the guest reads, and
//! the interrupt comes when the vector gets its event back. So none is lost, and nothing is kept here.

use std::io;
use std::sync::Arc;

use base::EventFd;
use data_model::Bdf;
use vfio::{IrqAction, PciIrq, PciRegion};

use super::host::Host;
use super::layout::MsixPlace;
use crate::irq::{MsiController, MsiMessage, MsiVector};
use crate::pci::{MsixChange, MsixTable};

/// What an access to a BAR hits.
enum Target {
    /// The table, at this offset.
    Table(u64),
    /// The pending bits.
    Pending,
    /// Both sides of an edge: no driver does that.
    Straddle,
    /// Registers of the device.
    Device,
}

/// The MSI-X state of a device.
pub(super) struct Msix {
    place: MsixPlace,
    table: MsixTable,
    /// Vectors can be added while it is on.
    resizable: bool,
    /// On at VFIO.
    on: bool,
    /// Vectors allocated at VFIO.
    allocated: u16,
    /// Vectors whose event VFIO has.
    bound: Vec<bool>,
}

impl Msix {
    pub fn new(
        place: MsixPlace,
        resizable: bool,
        requester: Bdf,
        controller: Arc<dyn MsiController>,
    ) -> Msix {
        let controller = Arc::new(LastingRoutes(controller));
        let table = MsixTable::new(controller, requester, place.vectors);
        let bound = vec![false; place.vectors.into()];
        Msix { place, table, resizable, on: false, allocated: 0, bound }
    }

    /// Offset of message control.
    pub fn control(&self) -> u16 {
        self.place.at + 2
    }

    /// The guest wrote message control. INTx and MSI must be off already when it switches MSI-X on.
    pub fn set_control(&mut self, host: &Host, control: u16) {
        let changes = self.table.set_control(control);
        self.apply(host, &changes);
    }

    /// Back to power-on.
    pub fn reset(&mut self, host: &Host) {
        self.disable(host);
        self.table.reset();
    }

    /// Reads, if the access is to the table or the pending bits; whether it was.
    pub fn read(&self, host: &Host, bar: u8, offset: u64, data: &mut [u8]) -> bool {
        match self.target(bar, offset, data.len()) {
            Target::Table(at) => self.table.table_read(at, data),
            Target::Pending => host.read(PciRegion::Bar(bar), offset, data),
            Target::Straddle => data.fill(0xff),
            Target::Device => return false,
        }
        true
    }

    /// Writes, if the access is to the table or the pending bits; whether it was.
    pub fn write(&mut self, host: &Host, bar: u8, offset: u64, data: &[u8]) -> bool {
        match self.target(bar, offset, data.len()) {
            Target::Table(at) => {
                let changes = self.table.table_write(at, data);
                self.apply(host, &changes);
            }
            Target::Pending | Target::Straddle => {}
            Target::Device => return false,
        }
        true
    }

    fn target(&self, bar: u8, offset: u64, len: usize) -> Target {
        use data_model::Span;
        let Some(access) = Span::from_len(offset, len as u64) else { return Target::Straddle };
        let (table, pending) = (self.place.table, self.place.pending);
        let hits = |place: &(u8, Span)| place.0 == bar && place.1.overlaps(&access);
        match (hits(&table), hits(&pending)) {
            (false, false) => Target::Device,
            (true, false) if table.1.covers(&access) => Target::Table(offset - table.1.start()),
            (false, true) if pending.1.covers(&access) => Target::Pending,
            _ => Target::Straddle,
        }
    }

    fn apply(&mut self, host: &Host, changes: &[MsixChange]) {
        for change in changes {
            let result = match *change {
                MsixChange::Enabled(true) => self.enable(host),
                MsixChange::Enabled(false) => {
                    self.disable(host);
                    Ok(())
                }
                MsixChange::VectorRouted(vector) => self.bind(host, vector),
                MsixChange::VectorMasked(vector) | MsixChange::VectorLost(vector) => {
                    self.release(host, vector)
                }
            };
            if let Err(error) = result {
                host.complain(&format!("follow MSI-X ({change:?})"), &error);
            }
        }
    }

    /// Switches the device to MSI-X, with no vector open yet. Where vectors cannot be added later, all are allocated now:
    /// allocating anew would lose interrupts.
    fn enable(&mut self, host: &Host) -> io::Result<()> {
        let count = if self.resizable { 1 } else { self.place.vectors };
        match self.allocate(host, count) {
            // Some host has fewer left: allocate when the vectors are used.
            Err(_) if count > 1 => self.allocate(host, 1),
            result => result,
        }
    }

    fn disable(&mut self, host: &Host) {
        self.bound.fill(false);
        self.allocated = 0;
        if std::mem::take(&mut self.on)
            && let Err(error) = host.device.set_irqs(PciIrq::Msix, IrqAction::Disable)
        {
            host.complain("disable MSI-X", &error);
        }
    }

    /// Gives the vector's event to VFIO.
    fn bind(&mut self, host: &Host, vector: u16) -> io::Result<()> {
        let Some(way) = self.table.vector(vector) else { return Ok(()) };
        let Some(bound) = self.bound.get_mut(usize::from(vector)) else { return Ok(()) };
        if *bound {
            return Ok(());
        }
        *bound = true;
        let result = if self.on && (self.resizable || vector < self.allocated) {
            let action = IrqAction::Trigger { start: vector.into(), events: &[Some(way.event())] };
            host.device.set_irqs(PciIrq::Msix, action)
        } else {
            self.grow(host, vector + 1)
        };
        if result.is_err() {
            self.bound[usize::from(vector)] = false;
        }
        result
    }

    /// Takes the vector's event away from VFIO.
    fn release(&mut self, host: &Host, vector: u16) -> io::Result<()> {
        let Some(bound) = self.bound.get_mut(usize::from(vector)) else { return Ok(()) };
        if !std::mem::take(bound) {
            return Ok(());
        }
        host.device.set_irqs(PciIrq::Msix, IrqAction::Trigger { start: vector.into(), events: &[None] })
    }

    /// Allocates `count` vectors where fewer are allocated, on a kernel that only takes whole sets.
    fn grow(&mut self, host: &Host, count: u16) -> io::Result<()> {
        let before = self.allocated;
        if std::mem::take(&mut self.on) {
            host.device.set_irqs(PciIrq::Msix, IrqAction::Disable)?;
        }
        self.allocate(host, count).or_else(|error| {
            // The vectors that worked must go on working.
            self.allocate(host, before.max(1))?;
            Err(error)
        })
    }

    /// Switches MSI-X on at VFIO with `count` vectors, each with its event if it is bound.
    fn allocate(&mut self, host: &Host, count: u16) -> io::Result<()> {
        let ways: Vec<Option<Arc<dyn MsiVector>>> = (0..count)
            .map(|vector| {
                self.bound.get(usize::from(vector)).filter(|bound| **bound).and(self.table.vector(vector))
            })
            .collect();
        let events: Vec<Option<&EventFd>> =
            ways.iter().map(|way| way.as_ref().map(|way| way.event())).collect();
        host.device.set_irqs(PciIrq::Msix, IrqAction::Trigger { start: 0, events: &events })?;
        (self.on, self.allocated) = (true, count);
        Ok(())
    }
}

/// Gives out vectors that keep their route while masked. The table takes a route away before VFIO has let go of the event; an
/// interrupt in between would be lost, where a real device would still send it.
struct LastingRoutes(Arc<dyn MsiController>);

struct LastingVector(Arc<dyn MsiVector>);

impl MsiController for LastingRoutes {
    fn vector(&self, requester: Bdf) -> io::Result<Arc<dyn MsiVector>> {
        Ok(Arc::new(LastingVector(self.0.vector(requester)?)))
    }
}

impl MsiVector for LastingVector {
    fn event(&self) -> &EventFd {
        self.0.event()
    }

    fn route(&self, message: MsiMessage) -> io::Result<()> {
        self.0.route(message)
    }

    fn unroute(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LastingVector {
    fn drop(&mut self) {
        if let Err(error) = self.0.unroute() {
            log::debug!("MSI-X: cannot take a route away: {error}");
        }
    }
}
