//! What `check` tells, as data: the JSON form is these structs, field by field.

use base::Memlock;
use data_model::Span;
use serde::Serialize;

use crate::config::Assignment;
use crate::errors::Refusal;
use crate::host::{
    DeviceFacts, Facts, GroupFacts, GuestGics, Isolation, KvmFacts, Lookup, MachineFacts, Trial,
};
use crate::plan::{Locked, Plan, Region, bind_commands};

/// The whole answer.
#[derive(Debug, Serialize)]
pub struct CheckReport {
    /// Whether a run with these devices would start.
    pub assignable: bool,
    /// KVM.
    pub kvm: KvmReport,
    /// Each device that was asked about.
    pub devices: Vec<DeviceReport>,
    /// Their IOMMU groups.
    pub groups: Vec<GroupReport>,
    /// The interrupt controllers that KVM offers to guests: `its`, `gicv3`, `gicv2`; `None` where there is no choice.
    pub guest_interrupt_controllers: Option<Vec<&'static str>>,
    /// What the guest would be shown; `None` when there is no plan.
    pub guest: Option<GuestReport>,
    /// Locked memory.
    pub memlock: MemlockReport,
    /// What keeps the devices from being assigned.
    pub refusals: Vec<RefusalReport>,
    /// What is worth knowing besides.
    pub warnings: Vec<String>,
}

/// The answer when the flags cannot be: the host was not asked.
#[derive(Debug, Serialize)]
pub struct FlagsReport {
    /// No run would start.
    pub assignable: bool,
    /// What the flags contradict.
    pub refusals: Vec<RefusalReport>,
}

impl FlagsReport {
    /// Of these refusals.
    pub fn new(refusals: &[Refusal]) -> FlagsReport {
        FlagsReport { assignable: false, refusals: refusals.iter().map(refusal).collect() }
    }
}

/// KVM of the host.
#[derive(Debug, Serialize)]
pub struct KvmReport {
    /// Whether it has all that machines need.
    pub usable: bool,
    /// `works`, or what is wrong with it.
    pub state: String,
    /// Width of guest-physical addresses in bits; `None` where it could not be asked.
    pub address_bits: Option<u32>,
}

/// One device.
#[derive(Debug, Serialize)]
pub struct DeviceReport {
    /// As the user named it.
    pub path: String,
    /// Its address; `None` when there is no such PCI device.
    pub address: Option<String>,
    /// Class code, six hexadecimal digits.
    pub class: Option<String>,
    /// Vendor and device id, `1b36:0010`.
    pub ids: Option<String>,
    /// Driver it is bound to.
    pub driver: Option<String>,
    /// Whether that is vfio-pci or a variant of it.
    pub bound_to_vfio: bool,
    /// The commands that would bind it; empty when it is bound.
    pub bind_commands: Vec<String>,
    /// IOMMU group.
    pub group: Option<u32>,
}

/// One IOMMU group.
#[derive(Debug, Serialize)]
pub struct GroupReport {
    /// Its number.
    pub number: u32,
    /// Its devices.
    pub members: Vec<MemberReport>,
    /// Whether no driver of the host holds a device of it.
    pub viable: bool,
    /// `works`, `not tried`, or what the host said.
    pub attach: String,
    /// `yes`, `no` or `unknown`.
    pub msis_isolated: &'static str,
    /// What the host reserves.
    pub reserved: Vec<HostRegionReport>,
    /// What can be mapped; empty when the attach did not work.
    pub can_map: Vec<Span>,
    /// Page sizes, one bit each.
    pub page_size_mask: Option<u64>,
    /// Mappings that fit.
    pub most_mappings: Option<u32>,
}

/// One device of a group.
#[derive(Debug, Serialize)]
pub struct MemberReport {
    /// Its address.
    pub address: String,
    /// Its driver.
    pub driver: Option<String>,
    /// Whether it is a PCI bridge.
    pub bridge: bool,
    /// Whether it may stay as it is.
    pub viable: bool,
}

/// A region that the host reserves.
#[derive(Debug, Serialize)]
pub struct HostRegionReport {
    /// Its addresses.
    #[serde(flatten)]
    pub span: Span,
    /// The host's word for it.
    pub kind: &'static str,
}

/// What the guest would be shown.
#[derive(Debug, Serialize)]
pub struct GuestReport {
    /// Host address, guest address.
    pub devices: Vec<(String, String)>,
    /// What a domain can map; `None` without a device behind the virtual IOMMU.
    pub input_range: Option<Span>,
    /// Page sizes, one bit each.
    pub page_size_mask: Option<u64>,
    /// Reserved regions of each endpoint.
    pub reserved: Vec<Region>,
    /// The MSI frame of an aarch64 guest.
    pub msi_frame: Option<Span>,
}

/// Locked memory in bytes.
#[derive(Debug, Serialize)]
pub struct MemlockReport {
    /// Guest RAM that was reckoned with.
    pub guest_ram: u64,
    /// What the process that locks most for the devices may need.
    pub needed: u64,
    /// What it may lock; `None` without a limit.
    pub limit: Option<u64>,
}

/// A refusal in its parts and as one text.
#[derive(Debug, Serialize)]
pub struct RefusalReport {
    /// Whom it is about.
    pub subject: String,
    /// What is refused.
    pub what: String,
    /// Why.
    pub why: String,
    /// What to do.
    pub remedy: String,
    /// All of it, as `run` prints it.
    pub text: String,
}

impl CheckReport {
    /// Puts together what was found and what follows from it.
    pub fn new(assignment: &Assignment, facts: &Facts, outcome: &Result<Plan, Vec<Refusal>>) -> CheckReport {
        let devices = assignment.vfio.iter().zip(&facts.devices);
        let refusals = outcome.as_ref().err().map_or(&[][..], Vec::as_slice);
        CheckReport {
            assignable: outcome.is_ok(),
            kvm: kvm(&facts.machine.kvm),
            devices: devices.map(|(config, lookup)| device(&config.path, lookup)).collect(),
            groups: facts.groups.values().map(|entry| group(entry, &facts.machine)).collect(),
            guest_interrupt_controllers: facts.machine.guest_gics.map(controllers),
            guest: outcome.as_ref().ok().map(guest),
            memlock: memlock(assignment, facts),
            refusals: refusals.iter().map(refusal).collect(),
            warnings: outcome.as_ref().map_or_else(|_| Vec::new(), |plan| plan.warnings.clone()),
        }
    }
}

fn memlock(assignment: &Assignment, facts: &Facts) -> MemlockReport {
    let locked = Locked::new(assignment, facts);
    let limit = match facts.machine.memlock {
        Memlock::Bytes(limit) => Some(limit),
        Memlock::Unlimited => None,
    };
    MemlockReport {
        guest_ram: assignment.memory,
        needed: locked.bytes,
        // Where nothing is charged against the limit, there is none.
        limit: limit.filter(|_| locked.limited > 0 || locked.bytes == 0),
    }
}

fn kvm(facts: &KvmFacts) -> KvmReport {
    let address_bits = facts.address_bits();
    KvmReport { usable: address_bits.is_some(), state: facts.to_string(), address_bits }
}

fn device(path: &str, lookup: &Lookup) -> DeviceReport {
    let found = match lookup {
        Lookup::Found(device) => Some(device),
        Lookup::Absent | Lookup::NotPci(_) => None,
    };
    let unbound = found.filter(|device| !device.is_given_up());
    DeviceReport {
        path: path.to_owned(),
        address: found.map(|device| device.bdf.to_string()),
        class: found.map(|device| format!("{:06x}", device.class)),
        ids: found.map(|device| format!("{:04x}:{:04x}", device.ids.0, device.ids.1)),
        driver: found.and_then(|device| device.driver.clone()),
        bound_to_vfio: found.is_some_and(DeviceFacts::is_given_up),
        bind_commands: unbound
            .map_or_else(Vec::new, |device| bind_commands(device.bdf, device.driver.is_some())),
        group: found.and_then(|device| device.group),
    }
}

fn group(group: &GroupFacts, machine: &MachineFacts) -> GroupReport {
    let aperture = match &group.trial {
        Trial::Attached(aperture) => Some(aperture),
        _ => None,
    };
    let members = group.members.iter().map(|member| MemberReport {
        address: member.bdf.to_string(),
        driver: member.driver.clone(),
        bridge: member.is_bridge(),
        viable: member.leaves_group_viable(),
    });
    GroupReport {
        number: group.number,
        members: members.collect(),
        viable: group.members.iter().all(DeviceFacts::leaves_group_viable),
        attach: group.trial.to_string(),
        msis_isolated: match group.isolation(machine) {
            Isolation::Isolated => "yes",
            Isolation::Shared => "no",
            Isolation::Unknown => "unknown",
        },
        reserved: group
            .reserved
            .iter()
            .map(|region| HostRegionReport { span: region.span, kind: region.kind.name() })
            .collect(),
        can_map: aperture.map_or_else(Vec::new, |aperture| aperture.ranges.clone()),
        page_size_mask: aperture.map(|aperture| aperture.page_sizes.bits()),
        most_mappings: aperture.and_then(|aperture| aperture.most_mappings),
    }
}

fn controllers(offer: GuestGics) -> Vec<&'static str> {
    let all = [("gicv3", offer.v3), ("its", offer.its), ("gicv2", offer.v2)];
    all.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
}

fn guest(plan: &Plan) -> GuestReport {
    let viommu = plan.viommu.as_ref().filter(|_| plan.devices.iter().any(|device| device.behind_viommu));
    GuestReport {
        devices: plan
            .devices
            .iter()
            .map(|device| (device.host.to_string(), device.guest.to_string()))
            .collect(),
        input_range: viommu.map(|viommu| viommu.input_range),
        page_size_mask: viommu.map(|viommu| viommu.page_mask.bits()),
        reserved: viommu.map_or_else(Vec::new, |viommu| viommu.reserved.clone()),
        msi_frame: plan.gic.and_then(|gic| gic.msi().span().ok()),
    }
}

fn refusal(refusal: &Refusal) -> RefusalReport {
    RefusalReport {
        subject: refusal.subject.clone(),
        what: refusal.what.clone(),
        why: refusal.why.clone(),
        remedy: refusal.remedy.clone(),
        text: refusal.to_string(),
    }
}
