//! Assigned devices, opened: a container for each group behind the virtual IOMMU, one for all the others.
//!
//! Drop order matters and is the order of the fields: devices, then groups leave their containers, then containers.

use std::sync::Arc;

use anyhow::{Context, Result};
use base::{GuestRam, HostMemory};
use hypervisor::{VfioLink, Vm};
use iommu_domain::{Type1Leg, VfioHost};
use vfio::{AssignedDevice, Container, DmaPerm, Group};

use crate::plan::{DevicePlan, GroupPlan, Plan};

/// A device with its place in the plan.
pub(crate) struct OpenDevice {
    pub plan: DevicePlan,
    pub device: Arc<dyn AssignedDevice>,
}

/// Everything that VFIO has given us.
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
            assigned.devices.push(OpenDevice { plan: device.clone(), device: assigned.open_device(device)? });
        }
        Ok(assigned)
    }

    fn open_device(&self, device: &DevicePlan) -> Result<Arc<dyn AssignedDevice>> {
        let group = self.groups.iter().find(|(group, _)| group.number == device.group);
        let (_, group) =
            group.with_context(|| format!("{}: group {} is not open", device.host, device.group))?;
        let opened = group.device(&device.host.to_string())?;
        Ok(Arc::new(opened))
    }

    /// A leg for each group behind the virtual IOMMU, with the group's number.
    pub fn legs(&self) -> Vec<(u32, Type1Leg<VfioHost>)> {
        let behind = self.groups.iter().filter(|(group, _)| group.behind_viommu);
        behind.filter_map(|(group, _)| Some((group.number, self.leg(group)?))).collect()
    }

    fn leg(&self, group: &GroupPlan) -> Option<Type1Leg<VfioHost>> {
        let (_, container) = self.containers.iter().find(|(number, _)| *number == group.number)?;
        let members = self.devices.iter().filter(|open| open.plan.group == group.number);
        let devices = members.map(|open| open.device.clone()).collect();
        Some(Type1Leg::new(group.leg_name(), VfioHost::new(container.clone(), devices)))
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
