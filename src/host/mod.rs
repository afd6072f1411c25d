//! What the host knows about its devices: gathered once, then only data, so that planning is pure.

mod bars;
#[cfg(test)]
pub mod fake;
mod guest_gics;
mod irqchip;
mod kvm;
mod reserved;
mod sysfs;
mod trial;

use std::collections::BTreeMap;
use std::fmt;

use base::Memlock;
use data_model::{HostBdf, PageMask, Span};
use rustix::io::Errno;

use crate::config::{Arch, Assignment};

pub use bars::HostBar;
pub use kvm::KvmFacts;
pub use reserved::{HostRegion, HostRegionKind};
pub use sysfs::SysfsHost;

/// Whether this process can open a node of `/dev` for reading and writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It can.
    Granted,
    /// There is no such node.
    Absent,
    /// Permissions are missing.
    Denied,
}

/// Whether the host keeps interrupts of devices apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// It does.
    Isolated,
    /// A device can raise any interrupt.
    Shared,
    /// There is no way to tell from outside.
    Unknown,
}

/// The interrupt controller of an aarch64 host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostGic {
    /// GICv2, or its like.
    V2,
    /// GICv3 or later.
    V3,
}

/// The interrupt controllers that KVM offers to guests of an aarch64 host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestGics {
    /// GICv3.
    pub v3: bool,
    /// An interrupt translation service beside GICv3.
    pub its: bool,
    /// GICv2.
    pub v2: bool,
}

impl GuestGics {
    /// The controller that guests get, in the words of the host's own.
    pub fn best(self) -> Option<HostGic> {
        if self.v3 { Some(HostGic::V3) } else { self.v2.then_some(HostGic::V2) }
    }
}

/// What is true of the host as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineFacts {
    /// Architecture.
    pub arch: Arch,
    /// Page size in bytes.
    pub page_size: u64,
    /// The limit on locked memory, raised as far as this process may.
    pub memlock: Memlock,
    /// Whether this process may lock beyond its limit; jailed ones may not.
    pub locks_at_will: bool,
    /// `/dev/vfio/vfio`.
    pub container_node: Access,
    /// `/dev/kvm`.
    pub kvm: KvmFacts,
    /// Parameter `allow_unsafe_interrupts` of the type 1 driver; `None` when the driver is not loaded.
    pub unsafe_allowed: Option<bool>,
    /// What the names of its interrupt chips tell about isolation.
    pub chips: Isolation,
    /// Interrupt controller: by what KVM offers, else by the names of the host's chips; `None` where neither tells.
    pub gic: Option<HostGic>,
    /// What KVM offers to guests; `None` where there is no choice or KVM cannot be asked.
    pub guest_gics: Option<GuestGics>,
}

/// A PCI device of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceFacts {
    /// Its address.
    pub bdf: HostBdf,
    /// Class code, 24 bits: base class, subclass, interface.
    pub class: u32,
    /// Vendor and device id.
    pub ids: (u16, u16),
    /// Driver it is bound to.
    pub driver: Option<String>,
    /// IOMMU group.
    pub group: Option<u32>,
    /// Its BARs, those in port space left out.
    pub bars: Vec<HostBar>,
}

impl DeviceFacts {
    /// Whether it is a PCI bridge, which may stay with its own driver.
    pub fn is_bridge(&self) -> bool {
        self.class >> 8 == 0x0604
    }

    /// Whether it is bound to vfio-pci or a vendor's variant of it.
    pub fn is_given_up(&self) -> bool {
        self.driver.as_deref().is_some_and(|driver| driver.replace('_', "-").contains("vfio-pci"))
    }

    /// Whether it may stay as it is while its group is assigned: no driver, or one that does no DMA.
    pub fn leaves_group_viable(&self) -> bool {
        match self.driver.as_deref() {
            None | Some("pci-stub" | "pcieport") => true,
            Some(_) => self.is_given_up(),
        }
    }
}

/// What the user's path led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A PCI device.
    Found(DeviceFacts),
    /// Nothing.
    Absent,
    /// Something else: where the path leads.
    NotPci(String),
}

/// How far a real attach got. It is undone before this is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trial {
    /// It was not tried, because it could not have worked.
    NotTried,
    /// The group went into a container.
    Attached(Aperture),
    /// The group is open elsewhere.
    Busy,
    /// The node may not be opened.
    Denied,
    /// Entering the container: the group belongs to another owner, or the kernel objects.
    GroupRefused(i32),
    /// The IOMMU driver does not take the group; EPERM means that interrupts are not isolated.
    IommuRefused(i32),
    /// Anything else, in words.
    Failed(String),
}

/// What an attached group can map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aperture {
    /// Addresses that may be mapped, sorted.
    pub ranges: Vec<Span>,
    /// Page sizes.
    pub page_sizes: PageMask,
    /// Mappings that fit; `None` when the kernel does not tell.
    pub most_mappings: Option<u32>,
}

/// An IOMMU group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFacts {
    /// Its number.
    pub number: u32,
    /// Its devices, PCI ones only.
    pub members: Vec<DeviceFacts>,
    /// Its reserved regions, as the host prints them.
    pub reserved: Vec<HostRegion>,
    /// `/dev/vfio/<number>`.
    pub node: Access,
    /// Whether the group was made without an IOMMU.
    pub noiommu: bool,
    /// How a real attach went.
    pub trial: Trial,
}

impl GroupFacts {
    /// Whether its interrupts are isolated: by what the attach showed, else by what the chips are called.
    pub fn isolation(&self, machine: &MachineFacts) -> Isolation {
        let exception = machine.unsafe_allowed == Some(true);
        match &self.trial {
            // Without the exception the kernel itself checks, and would have refused.
            Trial::Attached(_) if !exception => Isolation::Isolated,
            Trial::IommuRefused(errno) if !exception && *errno == Errno::PERM.raw_os_error() => {
                Isolation::Shared
            }
            _ => machine.chips,
        }
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |errno: &i32| std::io::Error::from_raw_os_error(*errno);
        match self {
            Trial::NotTried => f.write_str("not tried"),
            Trial::Attached(_) => f.write_str("works"),
            Trial::Busy => f.write_str("in use by another program"),
            Trial::Denied => f.write_str("not permitted to open the node"),
            Trial::GroupRefused(errno) => write!(f, "refused by the group: {}", said(errno)),
            Trial::IommuRefused(errno) => write!(f, "refused by the IOMMU driver: {}", said(errno)),
            Trial::Failed(reason) => f.write_str(reason),
        }
    }
}

/// All that a plan looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The host.
    pub machine: MachineFacts,
    /// What each device of the assignment is, in its order.
    pub devices: Vec<Lookup>,
    /// Their groups, by number.
    pub groups: BTreeMap<u32, GroupFacts>,
}

/// A host that can be asked.
pub trait HostFacts {
    /// The host as a whole.
    fn machine(&self) -> MachineFacts;

    /// The device at a sysfs path or PCI address.
    fn device(&self, path: &str) -> Lookup;

    /// The group with this number, its trial left out ([`Trial::NotTried`]).
    fn group(&self, number: u32) -> GroupFacts;

    /// Puts the group into a container of its own, looks, and takes it out again. Changes nothing that lasts.
    fn trial(&self, number: u32) -> Trial;
}

/// Asks `host` everything that planning `assignment` needs.
pub fn gather(host: &dyn HostFacts, assignment: &Assignment) -> Facts {
    let machine = host.machine();
    let devices: Vec<Lookup> = assignment.vfio.iter().map(|device| host.device(&device.path)).collect();
    let mut groups = BTreeMap::new();
    for lookup in &devices {
        let Lookup::Found(DeviceFacts { group: Some(number), .. }) = lookup else { continue };
        groups.entry(*number).or_insert_with(|| {
            let mut group = host.group(*number);
            if may_try(&group) {
                group.trial = host.trial(*number);
            }
            group
        });
    }
    Facts { machine, devices, groups }
}

/// A trial of a group that cannot be assigned would only repeat, less clearly, what is known already.
fn may_try(group: &GroupFacts) -> bool {
    !group.noiommu
        && group.node == Access::Granted
        && group.members.iter().all(DeviceFacts::leaves_group_viable)
}

#[cfg(test)]
mod tests;
