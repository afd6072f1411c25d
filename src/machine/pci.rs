//! The PCI side of the machine: root complex, virtio devices, root ports with the assigned devices behind them.
//!
//! Every function is at the other end of a tube, in a process of its own or, without the sandbox, on a thread.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use data_model::{Bdf, Span};
use devices::bus::SharedDevice;
use devices::irq::{IrqLine, MsiController};
use devices::pci::{Apertures, Ecam, PciRoot, RootPort, enumerate};
use devices::remote::{BlockGroup, LocalServices, Places, RemoteFunction};
use devices::slots::MemoryMapper;
use sync::Mutex;

use super::adapters::{KvmLine, KvmMapper, KvmMsi};
use super::assigned::{Assigned, OpenDevice};
use super::emulated::Ready;
use super::{Layout, Parts, board, island};
use crate::plan::{Plan, ViommuPlan};
use crate::process::{self, IslandLink, Sandbox, Setup, Wiring};

/// The functions of the machine; dropped, their workers end.
pub(crate) struct Built {
    /// The way to the virtual IOMMU.
    pub island: Option<IslandLink>,
    root: Arc<PciRoot>,
}

impl Drop for Built {
    fn drop(&mut self) {
        self.root.dismantle();
    }
}

/// Starts all workers, and gives their functions addresses.
pub(crate) fn assemble(
    (parts, layout): (&Parts, &Layout),
    plan: &Plan,
    assigned: &Assigned,
    emulated: Vec<Ready>,
    sandbox: &mut Sandbox,
) -> Result<Built> {
    let msi = Arc::new(KvmMsi { routes: parts.vm.irqs().clone(), doorbell: board::msi_doorbell(layout) });
    let shape = layout.pci();
    let ports = board::PORTS.map(|_| parts.buses.ports.clone());
    let root = Arc::new(PciRoot::new(parts.buses.memory.clone(), ports));
    let ecam: SharedDevice = Arc::new(Mutex::new(Ecam(root.clone())));
    parts.buses.memory.insert(shape.ecam, ecam).context("place the PCI configuration space")?;
    board::add_config_ports(parts, &root)?;
    let bars = [Some(shape.mmio32), shape.mmio64].into_iter().flatten().collect();
    let ram = layout.ram().iter().fold(0_u64, |sum, span| sum.saturating_add(span.len().unwrap_or(u64::MAX)));
    let patience = process::patience(ram, assigned.legs().count());
    let mut builder = Builder { parts, layout, assigned, sandbox, root: &root, msi, bars, patience };
    let (behind, beside): (Vec<_>, Vec<_>) = emulated.into_iter().partition(|device| device.behind_viommu);
    beside.into_iter().try_for_each(|device| builder.add_emulated(device))?;
    let planned = plan.viommu.as_ref();
    let island = planned.map(|viommu| builder.add_island(plan, viommu, behind)).transpose()?;
    let mapper: Arc<dyn MemoryMapper> = Arc::new(KvmMapper::new(parts.vm.clone(), island.clone()));
    builder.add_assigned(plan, island.as_ref(), &mapper)?;
    let guests: Vec<Bdf> = plan.devices.iter().map(|device| device.guest).collect();
    let buses: Vec<(Bdf, u8)> = plan.root_ports.iter().map(|port| (port.at, port.secondary)).collect();
    let apertures = Apertures {
        memory32: shape.mmio32,
        memory64: shape.mmio64,
        ports: board::PORTS,
        lines: board::interrupt_lines(),
        no_master: &guests,
        buses: &buses,
    };
    for placed in enumerate(&root, &apertures).context("give the PCI devices their addresses")? {
        log::debug!("{}: BAR {} at {}", placed.at, placed.bar, placed.span);
    }
    Ok(Built { island, root })
}

struct Builder<'a> {
    parts: &'a Parts,
    layout: &'a Layout,
    assigned: &'a Assigned,
    sandbox: &'a mut Sandbox,
    root: &'a PciRoot,
    msi: Arc<dyn MsiController>,
    bars: Vec<Span>,
    /// How long a device may take to answer.
    patience: Duration,
}

impl Builder<'_> {
    /// Puts an emulated device on the root bus, in a process of its own.
    fn add_emulated(&mut self, device: Ready) -> Result<()> {
        let at = device.setup.at;
        let setup = Setup::Emulated { device: device.setup, ram: self.layout.ram() };
        let services = self.services(at, at.device())?;
        let fds = std::iter::once(self.ram()?).chain(device.fds).collect();
        let function = self.sandbox.start(Wiring::new(self.patience)?, &setup, fds, services)?;
        self.place(at, function)
    }

    /// Puts the virtual IOMMU on the root bus, and the emulated devices behind it, all in one process.
    fn add_island(&mut self, plan: &Plan, viommu: &ViommuPlan, behind: Vec<Ready>) -> Result<IslandLink> {
        let (at, memory) = (viommu.at, (self.layout.ram(), board::doorbell_page(self.layout)));
        let emulated = behind.iter().map(|device| device.setup.clone()).collect();
        let (setup, containers) = island::task(plan, viommu, self.assigned, emulated, memory)?;
        let mut fds: Vec<OwnedFd> = std::iter::once(self.ram()?).chain(containers).collect();
        for device in behind {
            let at = device.setup.at;
            let services = self.services(at, at.device())?;
            let (function, tubes) =
                self.sandbox.connect(device.setup.role(), Wiring::new(self.patience)?, services)?;
            self.place(at, function)?;
            fds.extend(tubes.into_iter().chain(device.fds));
        }
        let blocker = self.assigned.blocker();
        let block: BlockGroup = Arc::new(move |group| blocker.reset_group(group));
        let endpoints = plan.devices.iter().filter(|device| device.behind_viommu);
        let services = LocalServices {
            on_behalf: endpoints.map(|device| device.guest).collect(),
            block: Some(block),
            ..self.services(at, at.device())?
        };
        let wiring = Wiring::new(self.patience)?;
        let link = IslandLink::new(wiring.function.clone());
        let function = self.sandbox.start(wiring, &setup, fds, services)?;
        self.place(at, function)?;
        Ok(link)
    }

    /// Puts the assigned devices behind their root ports: one each, or the functions of one slot.
    fn add_assigned(
        &mut self,
        plan: &Plan,
        island: Option<&IslandLink>,
        mapper: &Arc<dyn MemoryMapper>,
    ) -> Result<()> {
        for (slot, port) in plan.root_ports.iter().enumerate() {
            let id = self.root.add_port(port.at, RootPort::new(slot as u16 + 1)?)?;
            let behind = |open: &&OpenDevice| open.plan.guest.bus() == port.secondary;
            for open in self.assigned.devices.iter().filter(behind) {
                // Behind a port, device 0 pin A swizzles to the port's own line, and every function has pin A.
                let services = LocalServices {
                    msi: self.messages(island.filter(|_| open.plan.behind_viommu)),
                    mapper: Some(mapper.clone()),
                    ..self.services(open.plan.guest, port.at.device())?
                };
                let setup = Setup::Assigned {
                    host: open.plan.host,
                    guest: open.plan.guest,
                    ports: board::PORTS.is_some(),
                };
                let fds = vec![process::copy(&open.fd)?];
                let function = self
                    .sandbox
                    .start(Wiring::new(self.patience)?, &setup, fds, services)
                    .with_context(|| format!("show {} to the guest", open.plan.host))?;
                self.root.add_behind(id, open.plan.guest.function(), Arc::new(Mutex::new(function)))?;
            }
        }
        Ok(())
    }

    /// The way of a device's messages: behind the virtual IOMMU they are translated, but for x86, where they are no memory
    /// accesses.
    fn messages(&self, island: Option<&IslandLink>) -> Arc<dyn MsiController> {
        match island.filter(|_| board::MSI_TRANSLATES) {
            Some(island) => Arc::new(island.clone()),
            None => self.msi.clone(),
        }
    }

    /// What a function at `at` may ask for; its interrupt line is that of root-bus device `device`.
    fn services(&self, at: Bdf, device: u8) -> Result<LocalServices> {
        let line: Arc<dyn IrqLine> = Arc::new(KvmLine(self.parts.vm.irqs().line(board::intx_gsi(device))?));
        Ok(LocalServices {
            requester: at,
            on_behalf: Vec::new(),
            msi: self.msi.clone(),
            doorbells: self.parts.doorbells.clone(),
            mapper: None,
            line: Some(line),
            bars: self.bars.clone(),
            own: Places::default(),
            block: None,
        })
    }

    fn place(&self, at: Bdf, function: RemoteFunction) -> Result<()> {
        self.root.add(at, Arc::new(Mutex::new(function))).with_context(|| format!("place the function {at}"))
    }

    fn ram(&self) -> Result<OwnedFd> {
        process::copy(self.parts.ram.file.as_ref())
    }
}
