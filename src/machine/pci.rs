//! The PCI side of the machine: root complex, virtio devices, root ports with the assigned devices behind them.

use std::sync::Arc;

use anyhow::{Context, Result};
use data_model::{Bdf, Span};
use devices::bus::SharedDevice;
use devices::irq::{IrqLine, MsiController};
use devices::pci::{Apertures, Ecam, MsiTranslator, PciRoot, RootPort, enumerate};
use devices::vfio_pci::{VfioPciDevice, VfioPciParts};
use devices::virtio::iommu::ViommuHandle;
use devices::virtio::{PciDeps, Rng, VirtioDevice, VirtioPciDevice};
use sync::Mutex;

use super::adapters::{KvmLine, KvmMsi};
use super::assigned::{Assigned, OpenDevice};
use super::{Layout, Parts, board, viommu};
use crate::plan::Plan;

/// The functions of the machine; dropped, they stop and assigned devices are reset.
pub(crate) struct Built {
    /// The virtual IOMMU's state.
    pub viommu: Option<ViommuHandle>,
    _root: Arc<PciRoot>,
}

/// Builds all functions and gives them their addresses.
pub(crate) fn assemble(parts: &Parts, plan: &Plan, layout: &Layout, assigned: &Assigned) -> Result<Built> {
    let msi: Arc<dyn MsiController> =
        Arc::new(KvmMsi { routes: parts.vm.irqs().clone(), doorbell: board::msi_doorbell(layout) });
    let shape = layout.pci();
    let ports = board::PORTS.map(|_| parts.buses.ports.clone());
    let root = Arc::new(PciRoot::new(parts.buses.memory.clone(), ports));
    let ecam: SharedDevice = Arc::new(Mutex::new(Ecam(root.clone())));
    parts.buses.memory.insert(shape.ecam, ecam).context("place the PCI configuration space")?;
    board::add_config_ports(parts, &root)?;
    let builder = Builder { parts, root: &root, msi };
    builder.add_virtio(plan.rng, Box::new(Rng::default()))?;
    let mut handle = None;
    if let Some(planned) = &plan.viommu {
        let device = viommu::build(plan, planned, assigned, &parts.phys)?;
        handle = Some(device.handle());
        builder.add_virtio(planned.at, Box::new(device))?;
    }
    builder.add_assigned(plan, assigned, handle.as_ref())?;
    let guests: Vec<Bdf> = plan.devices.iter().map(|device| device.guest).collect();
    let apertures = Apertures {
        memory32: shape.mmio32,
        memory64: shape.mmio64,
        ports: board::PORTS,
        lines: board::interrupt_lines(),
        no_master: &guests,
    };
    for placed in enumerate(&root, &apertures).context("give the PCI devices their addresses")? {
        log::debug!("{}: BAR {} at {}", placed.at, placed.bar, placed.span);
    }
    Ok(Built { viommu: handle, _root: root })
}

struct Builder<'a> {
    parts: &'a Parts,
    root: &'a PciRoot,
    msi: Arc<dyn MsiController>,
}

impl Builder<'_> {
    /// Puts a virtio device on the root bus.
    fn add_virtio(&self, at: Bdf, device: Box<dyn VirtioDevice>) -> Result<()> {
        let name = device.name();
        let deps = PciDeps {
            at,
            mem: self.parts.ram.mem.clone(),
            msi: self.msi.clone(),
            translate: None,
            doorbells: self.parts.doorbells.clone(),
            line: Some(self.line(at.device())?),
        };
        let function = VirtioPciDevice::new(device, deps)?;
        self.root.add(at, Arc::new(Mutex::new(function))).with_context(|| format!("place {name}"))
    }

    /// Puts each assigned device behind a root port of its own.
    fn add_assigned(&self, plan: &Plan, assigned: &Assigned, viommu: Option<&ViommuHandle>) -> Result<()> {
        for (slot, port) in plan.root_ports.iter().enumerate() {
            let id = self.root.add_port(port.at, RootPort::new(slot as u16 + 1)?)?;
            let behind = |open: &&OpenDevice| open.plan.guest.bus() == port.secondary;
            for open in assigned.devices.iter().filter(behind) {
                // Behind a port, device 0 pin A swizzles to the port's own line.
                let function = self.assigned(open, port.at.device(), viommu)?;
                let function = Arc::new(Mutex::new(function));
                self.root.add_behind(id, open.plan.guest.function(), function)?;
            }
        }
        Ok(())
    }

    fn assigned(&self, open: &OpenDevice, port: u8, viommu: Option<&ViommuHandle>) -> Result<VfioPciDevice> {
        let parts = VfioPciParts {
            device: open.device.clone(),
            requester: open.plan.guest,
            msi: self.msi.clone(),
            line: Some(self.line(port)?),
            mapper: self.parts.mapper.clone(),
            translate: viommu.filter(|_| open.plan.behind_viommu).and_then(|handle| translator(handle, open)),
        };
        VfioPciDevice::new(parts).with_context(|| format!("show {} to the guest", open.plan.host))
    }

    fn line(&self, device: u8) -> Result<Arc<dyn IrqLine>> {
        let line = self.parts.vm.irqs().line(board::intx_gsi(device))?;
        Ok(Arc::new(KvmLine(line)))
    }
}

/// Where the messages of an endpoint go; nothing to translate on x86, where the address is no memory.
fn translator(handle: &ViommuHandle, open: &OpenDevice) -> Option<MsiTranslator> {
    if !board::MSI_TRANSLATES {
        return None;
    }
    let (handle, endpoint) = (handle.clone(), u32::from(open.plan.guest.id()));
    Some(Arc::new(move |address| handle.translate_msi(endpoint, address).ok().map(|gpa| gpa.0)))
}

/// A range known when the program was written.
pub(crate) const fn fixed(start: u64, last: u64) -> Span {
    match Span::new(start, last) {
        Some(span) => span,
        None => Span::ALL,
    }
}
