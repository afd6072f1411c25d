//! Assigned devices, opened: a container for each group behind the virtual IOMMU, one for all the others.
//!
//! Drop order matters and is the order of the fields: devices, then groups leave their containers, then containers.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use anyhow::{Context, Result};
use base::{GuestRam, HostMemory};
use devices::vfio_pci::{Lookout, Notice};
use hypervisor::{VfioLink, Vm};
use vfio::{AssignedDevice, Container, Device, DmaPerm, Group};

use super::Outcome;
use super::life::Control;
use crate::plan::{DevicePlan, GroupPlan, Plan};
use crate::process;

/// A device with its place in the plan.
pub(crate) struct OpenDevice {
    pub plan: DevicePlan,
    /// For the process that drives it.
    pub fd: OwnedFd,
    /// Main's own copy, for the undertaker and the lookout.
    device: Arc<dyn AssignedDevice>,
}

/// Everything that VFIO has given us. Workers get copies; main keeps its own until they have ended.
pub(crate) struct Assigned {
    pub devices: Vec<OpenDevice>,
    groups: Vec<(GroupPlan, Group)>,
    containers: Vec<(u32, Arc<Container>)>,
    /// KVM knows the groups; it must forget them before they close.
    link: Option<VfioLink>,
}

impl Assigned {
    /// Opens groups and devices. A group behind the virtual IOMMU starts with an empty container: its devices reach
    /// nothing until the guest says otherwise.
    pub fn open(plan: &Plan, vm: &Vm, ram: &GuestRam) -> Result<Assigned> {
        let mut assigned =
            Assigned { devices: Vec::new(), groups: Vec::new(), containers: Vec::new(), link: None };
        if plan.devices.is_empty() {
            return Ok(assigned);
        }
        let link = VfioLink::new(vm).context("tell KVM about assigned devices")?;
        let mut shared: Option<Arc<Container>> = None;
        for group in &plan.groups {
            let container = match shared.as_ref().filter(|_| !group.behind_viommu) {
                Some(container) => container.clone(),
                None => Arc::new(Container::open()?),
            };
            let first = container_is_new(&assigned, &container);
            let opened = Group::open(group.number)?;
            opened.attach(&container)?;
            if first {
                container.set_iommu_type1v2()?;
            }
            if !group.behind_viommu && first {
                map_all(&container, ram)?;
                shared = Some(container.clone());
            }
            link.add_file(&opened).with_context(|| format!("tell KVM about group {}", group.number))?;
            assigned.containers.push((group.number, container));
            assigned.groups.push((group.clone(), opened));
        }
        assigned.link = Some(link);
        for device in &plan.devices {
            let opened = assigned.open_device(device)?;
            assigned.devices.push(opened);
        }
        Ok(assigned)
    }

    fn open_device(&self, device: &DevicePlan) -> Result<OpenDevice> {
        let group = self.groups.iter().find(|(group, _)| group.number == device.group);
        let (_, group) =
            group.with_context(|| format!("{}: group {} is not open", device.host, device.group))?;
        let name = device.host.to_string();
        let fd = group.device_fd(&name)?;
        let own = Device::from_fd(&name, process::copy(&fd)?)?;
        Ok(OpenDevice { plan: device.clone(), fd, device: Arc::new(own) })
    }

    /// Groups behind the virtual IOMMU, each with its container.
    pub fn legs(&self) -> impl Iterator<Item = (&GroupPlan, &Arc<Container>)> {
        let behind = self.groups.iter().filter(|(group, _)| group.behind_viommu);
        behind.filter_map(|(group, _)| {
            let (_, container) = self.containers.iter().find(|(number, _)| *number == group.number)?;
            Some((group, container))
        })
    }

    /// Ends the machine when the host wants a device back, or tells of its failure: no guest can give a device up yet, and
    /// nothing that it reads from a failed one is worth anything.
    ///
    /// # Errors
    /// The host has no descriptor or no thread left.
    pub fn listen(&self, control: &Arc<Control>) -> Result<Lookout> {
        let devices: Vec<_> = self.devices.iter().map(|open| open.device.clone()).collect();
        let control = control.clone();
        let tell = move |device: &str, notice| control.end(told(device, notice));
        Lookout::start(&devices, tell).context("listen to what the host says about assigned devices")
    }

    /// The way to stop all DMA of the machine, whoever has died.
    pub fn blocker(&self) -> Blocker {
        Blocker {
            containers: self.legs().map(|(_, container)| container.clone()).collect(),
            devices: self.devices.iter().map(|open| (open.plan.group, open.device.clone())).collect(),
        }
    }
}

/// Empties containers and resets devices with main's own descriptors.
#[derive(Clone)]
pub(crate) struct Blocker {
    containers: Vec<Arc<Container>>,
    devices: Vec<(u32, Arc<dyn AssignedDevice>)>,
}

impl Blocker {
    /// Resets the devices of one group; the first failure, after all have had their turn.
    pub fn reset_group(&self, group: u32) -> io::Result<()> {
        let members = self.devices.iter().filter(|(number, _)| *number == group);
        let outcomes: Vec<_> = members.map(|(_, device)| device.reset()).collect();
        outcomes.into_iter().collect()
    }

    /// Leaves no mapping and no device at work.
    pub fn block_all(&self) {
        for container in &self.containers {
            if let Err(error) = container.unmap_all() {
                log::error!("a container cannot be emptied: {error}");
            }
        }
        for (_, device) in &self.devices {
            if let Err(error) = device.reset() {
                log::error!("{}: cannot be reset: {error}", device.name());
            }
        }
    }
}

/// Says what the host said of a device, and how the machine is to end for it.
fn told(device: &str, notice: Notice) -> Outcome {
    match notice {
        Notice::Wanted => {
            log::warn!(
                "{device}: the host takes the device back (its driver is unbound, or it is removed); the machine ends"
            );
            Outcome::PowerOff
        }
        Notice::Failed => {
            log::error!(
                "{device}: the host reports an error of the device that cannot be corrected; the machine ends. The \
                 host's kernel log names the error (AER); if it comes again, look at the card, its slot and its firmware"
            );
            Outcome::Crash
        }
    }
}

fn container_is_new(assigned: &Assigned, container: &Arc<Container>) -> bool {
    !assigned.containers.iter().any(|(_, there)| Arc::ptr_eq(there, container))
}

/// Lets devices that are not behind the virtual IOMMU reach all of RAM.
fn map_all(container: &Container, ram: &GuestRam) -> Result<()> {
    for (span, memory) in HostMemory::of_ram(ram) {
        let slice = memory.slice(0, memory.len()).context("guest RAM without bytes")?;
        container.map_memory(span, slice, DmaPerm::READ_WRITE).with_context(|| {
            format!("map guest RAM {span} for devices that are not behind the virtual IOMMU")
        })?;
    }
    Ok(())
}

impl Drop for Assigned {
    fn drop(&mut self) {
        self.devices.clear();
        let Some(link) = self.link.take() else { return };
        for (plan, group) in &self.groups {
            if let Err(error) = link.remove_file(group) {
                log::warn!("group {}: KVM does not let go: {error}", plan.number);
            }
        }
    }
}
