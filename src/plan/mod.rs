//! From what the user wants and what the host has to what will be: a pure function, so that `check` and `run` cannot
//! disagree and every refusal can be tested without a host.

mod bars;
mod conflicts;
mod devices;
mod groups;
mod guest_map;
mod memory;
mod msi;
mod places;
mod range;
mod regions;
mod shared;

use std::collections::BTreeMap;

use ::devices::virtio::iommu::PollMode;
use arch::BarRoom;
use arch::aarch64::Gic;
use data_model::{Bdf, HostBdf, PageMask, Span};
pub use vm_control::RegionKind;
use vm_control::RegionReport;

use crate::cmdline::specs::MsiMode;
use crate::config::{Arch, Assignment, Emulated};
use crate::errors::Refusal;
use crate::host::{Aperture, Facts, GroupFacts, KvmFacts, MachineFacts, Trial};

use devices::Found;
pub use devices::bind_commands;
pub use guest_map::GuestMap;
use guest_map::guest_map;
pub use memory::Locked;
pub use places::{RootPort, VIOMMU};

/// A reserved region as endpoints show it.
pub type Region = RegionReport;

/// One device to assign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevicePlan {
    /// On the host.
    pub host: HostBdf,
    /// In the guest; its id is the endpoint id.
    pub guest: Bdf,
    /// Its IOMMU group on the host.
    pub group: u32,
    /// Whether it is an endpoint of the virtual IOMMU.
    pub behind_viommu: bool,
}

/// One group to open, in a container of its own when it is behind the virtual IOMMU; the others share one container
/// that maps all of RAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPlan {
    /// Group number on the host.
    pub number: u32,
    /// Whether it has a leg of the virtual IOMMU.
    pub behind_viommu: bool,
    /// What it can map.
    pub aperture: Aperture,
}

impl GroupPlan {
    /// Name of its leg, for reports and logs.
    pub fn leg_name(&self) -> String {
        format!("type1 group {}", self.number)
    }
}

/// The virtual IOMMU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViommuPlan {
    /// Where it is in the guest.
    pub at: Bdf,
    /// How MSIs of endpoints reach the guest.
    pub msi: MsiMode,
    /// `config.bypass` at power-on.
    pub bypass_at_boot: bool,
    /// How long the device looks for requests before it sleeps.
    pub poll: PollMode,
    /// What a domain can map.
    pub input_range: Span,
    /// Page sizes offered: the granule alone.
    pub page_mask: PageMask,
    /// Reserved regions of each endpoint, sorted, disjoint, granule-aligned, at most one of them MSI. All endpoints show
    /// the same, so that any of them may share a domain.
    pub reserved: Vec<Region>,
    /// Windows of the host's own MSIs in which the guest may map its doorbell, in software only; none unless
    /// `msi=translate`.
    pub msi_windows: Vec<Span>,
}

/// An emulated device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmulatedPlan {
    /// Where it is in the guest; its id is the endpoint id.
    pub at: Bdf,
    /// What it is.
    pub kind: Emulated,
    /// Whether it is an endpoint of the virtual IOMMU.
    pub behind_viommu: bool,
}

/// What will be opened and assembled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The virtual IOMMU, when there is one.
    pub viommu: Option<ViommuPlan>,
    /// Emulated devices, in the order of the configuration.
    pub emulated: Vec<EmulatedPlan>,
    /// Root ports, by bus.
    pub root_ports: Vec<RootPort>,
    /// Assigned devices, in the user's order.
    pub devices: Vec<DevicePlan>,
    /// Their groups, by number.
    pub groups: Vec<GroupPlan>,
    /// Interrupt controller of an aarch64 guest, with the place of its MSI frame.
    pub gic: Option<Gic>,
    /// What the BAR window above RAM must hold.
    pub bar_room: BarRoom,
    /// Bytes that the memory-lock limit must allow (`base::raise_memlock`); 0 without assigned devices.
    pub memlock: u64,
    /// Containers that share the limit of the process that maps legs; 0 when it locks beyond its limit.
    pub sharing: u64,
    /// What the user should know though it does not prevent the run.
    pub warnings: Vec<String>,
}

/// What has been found out on the way to a plan.
struct Draft<'a> {
    assignment: &'a Assignment,
    machine: &'a MachineFacts,
    map: &'a GuestMap,
    devices: Vec<Found<'a>>,
    groups: BTreeMap<u32, &'a GroupFacts>,
    refusals: Vec<Refusal>,
    warnings: Vec<String>,
}

impl Draft<'_> {
    /// Whether a group's devices are behind the virtual IOMMU; groups whose devices disagree are refused elsewhere.
    fn behind_viommu(&self, group: u32) -> bool {
        self.devices.iter().any(|found| found.group == Some(group) && found.config.behind_viommu)
    }

    /// Groups whose trial worked, with what they can map.
    fn apertures(&self) -> impl Iterator<Item = (u32, &Aperture)> {
        self.groups.values().filter_map(|group| match &group.trial {
            Trial::Attached(aperture) => Some((group.number, aperture)),
            _ => None,
        })
    }

    /// The same, of the groups that are legs of the virtual IOMMU.
    fn viommu_apertures(&self) -> impl Iterator<Item = &Aperture> {
        self.apertures().filter(|(number, _)| self.behind_viommu(*number)).map(|(_, aperture)| aperture)
    }
}

/// Decides on a machine with `cpus` processors: what `check` and `run` both ask, so that they cannot disagree.
///
/// # Errors
/// Every reason against the run that the host and the configuration give, not the first alone.
pub fn decide(assignment: &Assignment, cpus: u8, facts: &Facts) -> Result<Plan, Vec<Refusal>> {
    let mut refusals: Vec<_> = kvm(&facts.machine).into_iter().collect();
    let bits = facts.machine.kvm.address_bits().unwrap_or(GuestMap::USUAL_BITS);
    let map = guest_map(assignment, cpus, bits, &bars::room(facts)).unwrap_or_else(|refusal| {
        refusals.push(refusal);
        GuestMap::default()
    });
    let planned = plan(assignment, facts, &map);
    if refusals.is_empty() {
        return planned;
    }
    refusals.extend(planned.err().into_iter().flatten());
    Err(refusals)
}

/// Decides everything about a machine's devices. The MSI frame of an aarch64 guest, which is not in `map`, is
/// placed here.
///
/// # Errors
/// Every reason against the run, not the first alone.
pub fn plan(assignment: &Assignment, facts: &Facts, map: &GuestMap) -> Result<Plan, Vec<Refusal>> {
    let mut draft = Draft {
        assignment,
        machine: &facts.machine,
        map,
        devices: Vec::new(),
        groups: facts.groups.iter().map(|(number, group)| (*number, group)).collect(),
        refusals: Vec::new(),
        warnings: Vec::new(),
    };
    devices::find(&mut draft, &facts.devices);
    groups::check(&mut draft);
    let locked = Locked::new(assignment, facts);
    memory::check(&mut draft, locked);
    conflicts::check(&mut draft);
    bars::check(&mut draft);
    let gic = msi::place(&mut draft);
    let viommu = viommu(&mut draft, gic.as_ref());
    let (root_ports, guests) = places::give(&mut draft);
    let emulated = emulated(assignment, &root_ports);
    let groups = draft
        .apertures()
        .map(|(number, aperture)| GroupPlan {
            number,
            behind_viommu: draft.behind_viommu(number),
            aperture: aperture.clone(),
        })
        .collect();
    let devices = draft.devices.iter().zip(guests).filter_map(|(found, guest)| {
        let (host, group) = (found.device.bdf, found.group?);
        Some(DevicePlan { host, guest, group, behind_viommu: found.config.behind_viommu })
    });
    let devices = devices.collect();
    if !draft.refusals.is_empty() {
        return Err(draft.refusals);
    }
    Ok(Plan {
        viommu,
        emulated,
        root_ports,
        devices,
        groups,
        gic,
        bar_room: bars::room(facts),
        memlock: locked.limited,
        sharing: locked.sharing,
        warnings: draft.warnings,
    })
}

fn emulated(assignment: &Assignment, ports: &[RootPort]) -> Vec<EmulatedPlan> {
    let places = places::emulated(ports);
    let planned = assignment.emulated.iter().zip(places).map(|(device, at)| EmulatedPlan {
        at,
        kind: device.kind.clone(),
        behind_viommu: device.behind_viommu,
    });
    planned.collect()
}

fn viommu(draft: &mut Draft<'_>, gic: Option<&Gic>) -> Option<ViommuPlan> {
    let config = draft.assignment.viommu?;
    let page_mask = range::page_mask(draft);
    let input_range = range::input_range(draft, page_mask.granule());
    let assigned = draft.assignment.vfio.iter().any(|device| device.behind_viommu);
    if !assigned && !draft.assignment.emulated.iter().any(|device| device.behind_viommu) {
        draft.warnings.push("no device is behind the virtual IOMMU".to_owned());
    }
    let msi_windows = if config.msi == MsiMode::Translate { msi::windows(draft) } else { Vec::new() };
    Some(ViommuPlan {
        at: VIOMMU,
        msi: config.msi,
        bypass_at_boot: config.bypass_at_boot,
        poll: config.poll,
        input_range,
        page_mask,
        reserved: regions::publish(draft, gic, input_range, page_mask.granule()),
        msi_windows,
    })
}

/// What keeps this process from running any guest at all.
fn kvm(machine: &MachineFacts) -> Option<Refusal> {
    let (what, why, remedy) = match &machine.kvm {
        KvmFacts::Works { .. } => return None,
        KvmFacts::Absent => ("is not there", "the host has no KVM".to_owned(), get_kvm(machine.arch)),
        KvmFacts::Denied => (
            "cannot be opened",
            "this user may not read and write it".to_owned(),
            "Add the user to the group that owns the node.",
        ),
        KvmFacts::Unusable(why) => {
            ("cannot be used", why.clone(), "The host's kernel log may say more: dmesg | grep -i kvm")
        }
    };
    Some(Refusal::new("/dev/kvm", what, why, remedy))
}

fn get_kvm(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "Turn virtualization on in the firmware and load kvm_intel or kvm_amd.",
        Arch::Aarch64 => "The host's kernel needs KVM built in, and firmware that starts it in EL2.",
    }
}

#[cfg(test)]
mod tests;
