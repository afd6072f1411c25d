//! KVM behind the small traits that devices know.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use base::EventFd;
use data_model::{Bdf, Span};
use devices::irq::{IrqLine, MsiController, MsiMessage, MsiVector};
use devices::platform::IrqEdge;
use devices::slots::{DirectMapping, Doorbells, MemoryMapper, SlotId};
use hypervisor::{DeviceMapping, IrqRoutes, Line, MsiGsi, Vm};
use sync::Mutex;

use super::board;
use crate::process::IslandLink;

/// Message interrupts through KVM's routes.
pub(crate) struct KvmMsi {
    pub routes: Arc<IrqRoutes>,
    pub doorbell: board::MsiDoorbell,
}

struct Vector {
    gsi: MsiGsi,
    doorbell: board::MsiDoorbell,
}

impl MsiController for KvmMsi {
    fn vector(&self, requester: Bdf) -> io::Result<Arc<dyn MsiVector>> {
        let gsi = self.routes.alloc_msi(requester.id().into())?;
        Ok(Arc::new(Vector { gsi, doorbell: self.doorbell }))
    }
}

impl MsiVector for Vector {
    fn event(&self) -> &EventFd {
        self.gsi.event()
    }

    fn route(&self, message: MsiMessage) -> io::Result<()> {
        self.doorbell.route(&self.gsi, message)
    }

    fn unroute(&self) -> io::Result<()> {
        Ok(self.gsi.unroute()?)
    }
}

/// An interrupt line of KVM's.
pub(crate) struct KvmLine(pub Line);

impl IrqLine for KvmLine {
    fn set(&self, level: bool) -> io::Result<()> {
        Ok(self.0.set(level)?)
    }

    fn bind(&self, trigger: &EventFd, resample: &EventFd) -> io::Result<()> {
        Ok(self.0.bind(trigger, resample)?)
    }

    fn unbind(&self, trigger: &EventFd, _resample: &EventFd) -> io::Result<()> {
        Ok(self.0.unbind(trigger)?)
    }
}

impl IrqEdge for KvmLine {
    fn raise(&self) -> io::Result<()> {
        Ok(self.0.pulse()?)
    }
}

/// Doorbells as ioeventfds.
pub(crate) struct KvmDoorbells(pub Arc<Vm>);

impl Doorbells for KvmDoorbells {
    fn bind(&self, gpa: u64, event: &EventFd) -> io::Result<()> {
        self.0.bind_doorbell(gpa, event)
    }

    fn unbind(&self, gpa: u64, event: &EventFd) -> io::Result<()> {
        self.0.unbind_doorbell(gpa, event)
    }
}

/// Device memory: a slot of KVM's, and a possible target of DMA through the virtual IOMMU.
pub(crate) struct KvmMapper {
    vm: Arc<Vm>,
    island: Option<IslandLink>,
    placed: Mutex<BTreeMap<u32, Span>>,
}

impl KvmMapper {
    /// Maps into `vm`, and tells the island where there is one.
    pub fn new(vm: Arc<Vm>, island: Option<IslandLink>) -> KvmMapper {
        KvmMapper { vm, island, placed: Mutex::default() }
    }
}

impl MemoryMapper for KvmMapper {
    fn map(&self, mapping: DirectMapping) -> io::Result<SlotId> {
        let DirectMapping { span, region, offset } = mapping;
        let device = DeviceMapping { span, region: region.clone(), offset, read_only: false };
        let slot = self.vm.map_device(&device).map_err(io::Error::other)?;
        if let Some(island) = &self.island
            && let Err(error) = island.insert(span, &region, offset)
        {
            self.vm.unmap_device(slot).map_err(io::Error::other)?;
            return Err(error);
        }
        self.placed.lock().insert(slot.0, span);
        Ok(SlotId(slot.0))
    }

    fn unmap(&self, slot: SlotId) -> io::Result<()> {
        let placed = self.placed.lock().remove(&slot.0);
        if let (Some(island), Some(span)) = (&self.island, placed) {
            island.remove(span)?;
        }
        self.vm.unmap_device(hypervisor::SlotId(slot.0)).map_err(io::Error::other)
    }
}
