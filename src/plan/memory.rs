//! How much memory the host must let the processes of a machine lock.

use std::collections::BTreeSet;

use base::Memlock;

use super::Draft;
use crate::config::Assignment;
use crate::errors::Refusal;
use crate::host::{DeviceFacts, Facts, Lookup};

/// What is locked for assigned devices, at most, by the one process that locks most.
///
/// A type 1 container pins what is mapped in it, each page once for each mapping of it, and the process that maps is charged, for
/// all its containers against one limit. So a leg can pin all of RAM, and more only when a guest maps the same page at several
/// addresses. Each has an equal share of the limit that there is, RAM at least, and a MAP past it is refused: a higher limit is a
/// larger share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Locked {
    /// Bytes, whether the limit holds for them or not.
    pub bytes: u64,
    /// Bytes that the limit must allow: less where the process may lock beyond it.
    pub limited: u64,
    /// Containers that share the limit of the process that maps legs; 0 when it locks beyond its limit.
    pub sharing: u64,
}

impl Locked {
    /// What `assignment` may come to.
    pub fn new(assignment: &Assignment, facts: &Facts) -> Locked {
        let (behind, beside) = containers(assignment, facts);
        // Main maps what stands beside the virtual IOMMU. Legs are mapped by the jailed process, which no capability of main's
        // helps, or by main as well.
        let (main, jailed) = if assignment.jailed { (beside, behind) } else { (behind + beside, 0) };
        let charged = if facts.machine.locks_at_will { 0 } else { main };
        let bytes = |containers: u64| assignment.memory.saturating_mul(containers);
        let sharing = if assignment.jailed { jailed } else { charged };
        Locked { bytes: bytes(main.max(jailed)), limited: bytes(charged.max(jailed)), sharing }
    }
}

/// A container for each group behind the virtual IOMMU, and one for all groups beside it.
fn containers(assignment: &Assignment, facts: &Facts) -> (u64, u64) {
    let mut behind = BTreeSet::new();
    let mut beside = false;
    for (config, lookup) in assignment.vfio.iter().zip(&facts.devices) {
        match lookup {
            Lookup::Found(DeviceFacts { group: Some(number), .. }) if config.behind_viommu => {
                behind.insert(*number);
            }
            Lookup::Found(DeviceFacts { group: Some(_), .. }) => beside = true,
            _ => {}
        }
    }
    (behind.len() as u64, u64::from(beside))
}

/// Refuses a limit that is too low.
pub(super) fn check(draft: &mut Draft<'_>, locked: Locked) {
    let needed = locked.limited;
    if let Memlock::Bytes(limit) = draft.machine.memlock
        && limit < needed
    {
        draft.refusals.push(too_low(limit, needed, needed / draft.assignment.memory.max(1)));
    }
}

fn too_low(limit: u64, needed: u64, containers: u64) -> Refusal {
    let times = if containers == 1 {
        "all guest RAM can be".to_owned()
    } else {
        format!("all guest RAM can be {containers} times")
    };
    Refusal::new(
        "the memory-lock limit",
        "is too low",
        format!(
            "it is {}, and {times} locked for assigned devices, {}",
            base::bytes(limit),
            base::bytes(needed)
        ),
        format!(
            "Raise it, as root, before the start: ulimit -l {} (or LimitMEMLOCK={needed} in a service file).",
            needed.div_ceil(1024)
        ),
    )
}
