//! One trace through the device and the model.

use std::fmt;

use base::FaultPlan;
use devices::virtio::VirtioDevice;
use iommu_domain::{Mapping, Perm};
use virtio_iommu_spec::{MAX_REQUEST_SIZE, Status, encode};

use super::naive::{Entry, Naive};
use super::op::{Fault, Op, Operation};
use crate::world::{ENDPOINTS, FEATURES, GROUPS, Memory, Rules, World, span};

/// Operations between two looks at all that the device reports.
const DEEP: usize = 128;

/// What happened in traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Answers by status.
    pub answers: [u64; 9],
    /// Operations with a fault armed.
    pub armed: u64,
    /// Operations after which a group was blocked that was not before.
    pub quarantined: u64,
}

impl Tally {
    /// The sum.
    pub fn plus(mut self, other: Tally) -> Tally {
        for (mine, theirs) in self.answers.iter_mut().zip(other.answers) {
            *mine += theirs;
        }
        self.armed += other.armed;
        self.quarantined += other.quarantined;
        self
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for status in Status::ALL.into_iter().filter(|status| self.answers[*status as usize] > 0) {
            write!(f, "{status:?} {} ", self.answers[status as usize])?;
        }
        write!(f, "quarantines {}", self.quarantined)
    }
}

/// The device and the model differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// After which operation.
    pub at: usize,
    /// In what.
    pub what: String,
}

/// Runs a trace in a new world.
pub fn replay(
    rules: &Rules,
    memory: &Memory,
    trace: &[Operation],
    tally: &mut Tally,
) -> Result<(), Disagreement> {
    let mut pair = Pair::new(rules, memory);
    for (at, operation) in trace.iter().enumerate() {
        let deep = at % DEEP == DEEP - 1 || at + 1 == trace.len();
        pair.step(operation, deep, tally).map_err(|what| Disagreement { at, what })?;
    }
    Ok(())
}

/// The device and its model.
pub struct Pair<'a> {
    pub(crate) world: World,
    pub(crate) model: Naive<'a>,
    /// Whether the first fault that the last operation armed has happened.
    pub(crate) fired: bool,
}

impl<'a> Pair<'a> {
    /// A new world and its model, all features negotiated.
    pub fn new(rules: &'a Rules, memory: &'a Memory) -> Pair<'a> {
        let world = World::new(rules, memory);
        world.device.negotiate(FEATURES);
        let model = Naive::new(rules, &memory.regions, FEATURES);
        Pair { world, model, fired: false }
    }

    /// One operation, to both, and a comparison: of all that is reported too when `deep`. Gives the answer.
    pub fn step(
        &mut self,
        operation: &Operation,
        deep: bool,
        tally: &mut Tally,
    ) -> Result<Option<Status>, String> {
        let blocked = self.model.blocked;
        let arm = |fault: Fault| FaultPlan::arm(fault.call, fault.skip, fault.times, fault.errno);
        let armed = operation.faults.map(|fault| fault.map(arm));
        let resets: Vec<u32> = self.world.hosts.iter().map(|host| host.resets()).collect();
        let answered = self.perform(&operation.op);
        let any_armed = armed[0].is_some();
        let may_fail = any_armed || blocked.contains(&true);
        self.fired =
            armed[0].as_ref().zip(operation.faults[0]).is_some_and(|(plan, fault)| plan.left() < fault.times);
        drop(armed);
        if let Some(status) = answered {
            tally.answers[status as usize] += 1;
        }
        self.model.apply(&operation.op, answered, may_fail).map_err(|expected| {
            format!("answered {answered:?}, the model says {expected:?} (a failure of the host is possible: {may_fail})")
        })?;
        if may_fail {
            tally.armed += u64::from(any_armed);
            self.look_at_quarantine(operation, &resets, tally)?;
        }
        self.compare(operation)?;
        if deep {
            self.compare_reports()?;
        }
        Ok(answered)
    }

    fn perform(&mut self, op: &Op) -> Option<Status> {
        let device = &mut self.world.device;
        match op {
            Op::Request(request) => {
                let mut bytes = [0; MAX_REQUEST_SIZE];
                let len = encode(request, &mut bytes);
                return device.serve(&bytes[..len]);
            }
            Op::Garbage(kind, len) => {
                let sizes = [0, 20, 20, 36, 28, 72];
                let len = sizes.get(usize::from(*kind)).map_or(*len, |size| *len % size.max(&1));
                let mut bytes = [0xff; MAX_REQUEST_SIZE];
                bytes[0] = *kind;
                return device.serve(&bytes[..len.min(MAX_REQUEST_SIZE)]);
            }
            Op::Bypass(value) => {
                device.config_write(0x24, &[*value], self.model.features);
            }
            Op::Reset(features) => {
                device.reset();
                device.negotiate(*features);
            }
            Op::SystemReset(features) => {
                device.system_reset();
                device.negotiate(*features);
            }
        }
        None
    }

    /// Takes over which groups the device has blocked: it may block one only when a call failed in it, and must reset
    /// its devices then.
    fn look_at_quarantine(
        &mut self,
        operation: &Operation,
        resets: &[u32],
        tally: &mut Tally,
    ) -> Result<(), String> {
        let report = self.world.device.with_iommu(|iommu| iommu.report());
        for (group, host) in self.world.hosts.iter().enumerate() {
            let now = report.legs[group].quarantined;
            let newly = now && !self.model.blocked[group];
            if newly && operation.faults[0].is_none() {
                return Err(format!("group {group} is blocked though no call of the host failed"));
            }
            if newly && host.resets() == resets[group] {
                return Err(format!("group {group} is blocked without a reset of its devices"));
            }
            tally.quarantined += u64::from(newly);
            self.model.blocked[group] = now;
        }
        Ok(())
    }

    /// Containers, tables, and the access of the operation.
    fn compare(&self, operation: &Operation) -> Result<(), String> {
        for (group, host) in self.world.hosts.iter().enumerate() {
            if self.model.blocked[group] && host.resets() > 0 {
                continue; // Emptied as far as the host let it be, its devices reset.
            }
            let expected = self.model.held(Some(group));
            let perm = |read, write| Perm { read, write };
            let entries =
                expected.iter().map(|(first, last, hva, r, w)| (span((*first, *last)), *hva, perm(*r, *w)));
            if !host.matches(entries) {
                return Err(format!("group {group} holds {:x?}, the model {expected:x?}", host.mappings()));
            }
        }
        self.compare_soft()?;
        for domain in &self.model.domains {
            let same = self.world.device.with_iommu(|iommu| {
                let table = iommu.table(domain.id)?;
                let mine = table.iter().map(|mapping| Entry {
                    first: mapping.iova.start(),
                    last: mapping.iova.last(),
                    phys: mapping.phys,
                    read: mapping.perm.read,
                    write: mapping.perm.write,
                });
                Some(mine.eq(domain.entries.iter().copied()))
            });
            if same != Some(true) {
                return Err(format!("domain {}: the table differs from {:x?}", domain.id, domain.entries));
            }
        }
        let (endpoint, address, write) = operation.access;
        let need = if write { Perm::WRITE } else { Perm::READ };
        let went = self
            .world
            .device
            .with_iommu(|iommu| iommu.translate(endpoint, address, need).ok())
            .map(|gpa| gpa.0);
        let expected = self.model.translate(endpoint, address, write);
        if went != expected {
            return Err(format!(
                "an access goes to {went:x?}, the model says {expected:x?}: {:x?}",
                operation.access
            ));
        }
        Ok(())
    }

    /// What the emulated endpoint's device would look up: each mapping, and the places around it.
    fn compare_soft(&self) -> Result<(), String> {
        let in_use = self.world.soft.enter();
        let of = |mapping: Mapping| {
            let Mapping { iova, phys, perm } = mapping;
            (iova.start(), iova.last(), phys, perm.read, perm.write)
        };
        let expected = if self.world.hosts.len() < GROUPS { self.model.reached() } else { Vec::new() };
        if !in_use.mappings().map(of).eq(expected.iter().copied()) {
            let mine: Vec<_> = in_use.mappings().collect();
            return Err(format!("the emulated endpoint reaches {mine:x?}, the model says {expected:x?}"));
        }
        for (first, last, ..) in &expected {
            for at in [first.wrapping_sub(1), *first, *last, last.wrapping_add(1)] {
                let there = expected.iter().find(|(first, last, ..)| *first <= at && at <= *last).copied();
                if in_use.get(at).map(of) != there {
                    return Err(format!("the emulated endpoint finds {:x?} at {at:#x}", in_use.get(at)));
                }
            }
        }
        Ok(())
    }

    /// Everything that the device reports.
    fn compare_reports(&self) -> Result<(), String> {
        let report = self.world.device.with_iommu(|iommu| iommu.report());
        let places: Vec<_> = report.endpoints.iter().map(|endpoint| endpoint.domain).collect();
        if places != self.model.places {
            return Err(format!("endpoints are in {places:?}, the model says {:?}", self.model.places));
        }
        let mut domains: Vec<_> =
            self.model.domains.iter().map(|it| (it.id, it.bypass, it.entries.len())).collect();
        domains.sort_unstable();
        let mine: Vec<_> = report.domains.iter().map(|it| (it.id, it.bypass, it.mappings)).collect();
        if mine != domains {
            return Err(format!("domains are {mine:?}, the model says {domains:?}"));
        }
        let mut bypass = [9];
        self.world.device.config_read(0x24, &mut bypass);
        if report.bypass != self.model.bypass || bypass[0] != u8::from(self.model.bypass) {
            return Err(format!("bypass is {}, the model says {}", bypass[0], self.model.bypass));
        }
        for (group, leg) in report.legs.iter().take(self.world.hosts.len()).enumerate() {
            if leg.between != self.model.is_between(group) {
                return Err(format!("{} is between domains: {}, the model differs", leg.name, leg.between));
            }
        }
        let members =
            |id: u32| ENDPOINTS.iter().zip(self.model.places).filter(move |(_, at)| *at == Some(id)).count();
        match report.domains.iter().find(|domain| domain.endpoints.len() != members(domain.id)) {
            Some(wrong) => Err(format!("domain {} holds {:?}", wrong.id, wrong.endpoints)),
            None => Ok(()),
        }
    }
}
