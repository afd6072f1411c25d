//! KVM behind the small traits that devices know.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use base::{EventFd, HostMemory};
use data_model::{Bdf, Span};
use devices::irq::{IrqLine, MsiController, MsiMessage, MsiVector};
use devices::platform::IrqEdge;
use devices::slots::{DirectMapping, Doorbells, MemoryMapper, SlotId};
use hypervisor::{DeviceMapping, IrqRoutes, Line, MsiGsi, Vm};
use iommu_domain::{Backing, PhysMap};
use sync::Mutex;

use super::board;

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
    phys: Arc<PhysMap>,
    placed: Mutex<BTreeMap<u32, Span>>,
}

impl KvmMapper {
    /// Maps into `vm`, and books into `phys`.
    pub fn new(vm: Arc<Vm>, phys: Arc<PhysMap>) -> KvmMapper {
        KvmMapper { vm, phys, placed: Mutex::default() }
    }
}

impl MemoryMapper for KvmMapper {
    fn map(&self, mapping: DirectMapping) -> io::Result<SlotId> {
        let DirectMapping { span, region, offset } = mapping;
        let memory = span.len().and_then(|len| HostMemory::of_device(region.clone(), offset, len));
        let memory = memory.ok_or(io::ErrorKind::InvalidInput)?;
        let device = DeviceMapping { span, region, offset, read_only: false };
        let slot = self.vm.map_device(&device).map_err(io::Error::other)?;
        if let Err(conflict) = self.phys.insert(span, Backing::Memory(memory)) {
            self.vm.unmap_device(slot).map_err(io::Error::other)?;
            return Err(io::Error::other(conflict));
        }
        self.placed.lock().insert(slot.0, span);
        Ok(SlotId(slot.0))
    }

    fn unmap(&self, slot: SlotId) -> io::Result<()> {
        if let Some(span) = self.placed.lock().remove(&slot.0) {
            self.phys.remove(span);
        }
        self.vm.unmap_device(hypervisor::SlotId(slot.0)).map_err(io::Error::other)
    }
}
