//! `kill -9` of each process of the VMM at each step of its life: no DMA goes on, nothing stays behind, and the next start
//! works, which the next scenario shows.

use super::{Scenario, checks, left_behind};
use crate::arch::Arch;
use crate::disk::Disk;
use crate::job::Strike;
use crate::report::Report;

/// Exit code of a process that was ended by SIGKILL, as a shell tells it.
const KILLED: i32 = 128 + 9;
/// VMM exit code when one of its workers has died.
const CRASHED: i32 = 33;
/// VMM exit code when it could not start.
const FAILED: i32 = 1;

/// Name, and shell text for `pids_of`.
const VICTIMS: [(&str, &str); 4] =
    [("main", "main"), ("island", "virtio-iommu"), ("nvme", "vfio $NVME"), ("rng", "virtio-rng")];

/// Moments, with what the guest does until then.
const MOMENTS: [(&str, Option<&str>); 4] =
    [("start", None), ("boot", None), ("dma", Some("dma")), ("idle", Some("idle"))];

/// Killed while `rig death` drives the disk in the guest's place.
const ORACLE: &str = "oracle";

/// Each process at each moment; by day each of those that are worth a day's time on one architecture at least.
pub(super) fn all(arch: Arch, long: bool) -> Vec<Scenario> {
    let moments = MOMENTS.into_iter().chain([(ORACLE, None)]);
    let each = moments.flat_map(|moment| VICTIMS.into_iter().map(move |victim| (victim, moment)));
    let wanted = each.filter(|((victim, _), (moment, _))| long || by_day(victim, moment).contains(&arch));
    wanted
        .map(|(victim, (moment, action))| match moment {
            ORACLE => under_the_oracle(victim),
            _ => scenario(victim, moment, action),
        })
        .collect()
}

/// Where a process's death at a moment is tried by day. Guests that must first boot to the end take long: only those are killed
/// under DMA whose death touches it, and under the oracle only the processes that can map.
fn by_day(victim: &str, moment: &str) -> &'static [Arch] {
    use Arch::{Aarch64, X86_64};
    match (moment, victim) {
        ("start", _) | ("dma" | ORACLE, "main") => &[X86_64],
        ("boot", _) => &[Aarch64],
        ("dma", "island" | "nvme") | (ORACLE, "island") => &[X86_64, Aarch64],
        _ => &[],
    }
}

/// All of guest memory is in the disk's reach, and after the death none of it is.
fn under_the_oracle(victim: (&str, &'static str)) -> Scenario {
    let mut scenario = scenario(victim, ORACLE, Some("idle"));
    scenario.guest.params = "iommu.passthrough=1".to_owned();
    scenario.guest.rig = vec!["death"];
    scenario
}

fn scenario(
    (name, victim): (&str, &'static str),
    moment: &'static str,
    action: Option<&'static str>,
) -> Scenario {
    let mut scenario = Scenario::new(&format!("kill-{name}-{moment}"), "");
    scenario.guest.actions = action.into_iter().collect();
    scenario.guest.strike = Some(Strike { moment, victim });
    scenario.exit = if victim == "main" { KILLED } else { CRASHED };
    scenario.judge = judge;
    scenario
}

fn judge(scenario: &Scenario, report: &Report, _: &Disk) -> Vec<String> {
    let mut failures = left_behind(scenario, report);
    let moment = scenario.guest.strike.map_or("", |strike| strike.moment);
    if !report.struck.as_deref().is_some_and(|struck| struck.starts_with(moment)) {
        failures.push(format!("nothing was killed at {moment}; it said: {}", report.said));
    }
    // A worker that dies while the machine is put together is a start that failed.
    let right = report.exit == Some(scenario.exit)
        || moment == "start" && scenario.exit == CRASHED && report.exit == Some(FAILED);
    if !right {
        let said = &report.said;
        failures.push(format!("exit code {:?}, expected {}; it said: {said}", report.exit, scenario.exit));
    }
    if scenario.exit != KILLED && report.said.trim().is_empty() {
        failures.push("the VMM did not say what happened".to_owned());
    }
    if moment == "start" && report.vcpus != Some(0) {
        failures.push(format!("{:?} processors of the guest were there already", report.vcpus));
    }
    failures.extend(report.guest_failures.iter().map(|failure| format!("in the guest: {failure}")));
    failures.extend(checks::faults(report));
    if moment == ORACLE {
        failures.extend(checks::rig(scenario, report));
        failures.extend(report.halt.refused.iter().map(|what| format!("not done: mixvm {what}")));
    }
    failures
}
