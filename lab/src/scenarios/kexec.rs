//! A guest that starts another kernel in place of its own, again and again, the last time out of a panic under DMA: each kernel
//! finds the devices as the one before has left them, and nothing piles up on the host.

use super::{Scenario, growth, whole_life};
use crate::disk::Disk;
use crate::report::{Look, Report, Sample};

/// Kernels after the first; the last one after a panic.
const KERNELS: u32 = 5;
/// A disk with the kernel on it: the lab host's own path.
pub const DISK: &str = "/lab/kernel.img";
/// Room for the kernel that takes over after a panic, and for both kinds.
const RESERVED: &str = "crashkernel=256M";
const MEMORY_MIB: u32 = 768;
/// Bytes of a page of the guests' kernels here.
const PAGE: u64 = 4096;

/// Where the kernel's loader takes a file; it is not in every architecture's kernel.
pub(super) fn all() -> Vec<Scenario> {
    let mut scenario = Scenario::new("kexec", &format!("lab.kexec={KERNELS} {RESERVED}"));
    scenario.guest.memory_mib = MEMORY_MIB;
    scenario.guest.actions.push("kexec");
    scenario.guest.options = ["--block", &format!("{DISK},ro")].map(str::to_owned).into();
    scenario.judge = judge;
    vec![scenario]
}

fn judge(scenario: &Scenario, report: &Report, disk: &Disk) -> Vec<String> {
    let mut failures = whole_life(scenario, report, disk);
    let wanted: Vec<_> = (0..=KERNELS).rev().map(|left| (left, disk.digest.clone())).collect();
    if report.kernels != wanted {
        failures.push(format!("kernels and their digests: {:?}, expected {wanted:?}", report.kernels));
    }
    let look = |moment: String| report.looks.iter().find(|look| look.moment == moment);
    for left in (0..=KERNELS).rev() {
        match look(format!("kernel-{left}")) {
            Some(look) => failures.extend(settled(look)),
            None => failures.push(format!("nobody looked at the kernel before the last {left}")),
        }
        match look(format!("fresh-{left}")) {
            Some(look) if left > 0 => failures.extend(reset(look)),
            Some(look) => failures.extend(after_a_panic(look)),
            None => failures.push(format!("nobody looked before the drivers, {left} kernels from the end")),
        }
    }
    // The first kernel is looked at before it has ever used the disk with the kernels on it.
    let first = format!("kernel-{KERNELS}");
    let used = |sample: &&Sample| sample.moment.starts_with("kernel-") && sample.moment != first;
    let working = report.samples.iter().filter(used);
    failures.extend(growth::growth(&working.cloned().collect::<Vec<_>>()));
    failures
}

/// With its drivers at work: one domain, the same in the table, the leg and the host's kernel.
fn settled(look: &Look) -> Vec<String> {
    let Some(shown) = &look.shown else { return vec![format!("{}: nothing was shown", look.moment)] };
    let mut failures = shown.differences();
    if shown.domains.len() != 1 || shown.domains[0].mappings == 0 {
        failures.push(format!("domains {:?}, expected one with mappings", shown.domains));
    }
    if Some(shown.pinned / PAGE) != look.pinned_pages {
        let (shown, pinned) = (shown.pinned / PAGE, look.pinned_pages);
        failures.push(format!("{shown} pages shown as pinned, the kernel has {pinned:?}"));
    }
    failures.into_iter().map(|failure| format!("{}: {failure}", look.moment)).collect()
}

/// Before its drivers, after a kernel that has shut its devices down: no domain, endpoints as `bypass` says, which is all of
/// memory or none.
fn reset(look: &Look) -> Vec<String> {
    let Some(shown) = &look.shown else { return vec![format!("{}: nothing was shown", look.moment)] };
    let mut failures = shown.differences();
    if !shown.domains.is_empty() || shown.endpoints.iter().any(|endpoint| endpoint.domain.is_some()) {
        failures.push(format!("domains {:?}, expected none", shown.domains));
    }
    let reach = if shown.bypass { u64::from(MEMORY_MIB) << 20 } else { 0 };
    if look.pinned_pages != Some(reach / PAGE) {
        let (pages, bypass) = (look.pinned_pages, shown.bypass);
        failures.push(format!("the kernel has pinned {pages:?} pages, bypass is {bypass}"));
    }
    failures.into_iter().map(|failure| format!("{}: {failure}", look.moment)).collect()
}

/// After a panic no driver has reset anything: the domain of the kernel that died may still be there, but whole.
fn after_a_panic(look: &Look) -> Vec<String> {
    match &look.shown {
        Some(shown) if !shown.domains.is_empty() => settled(look),
        _ => reset(look),
    }
}

#[cfg(test)]
mod tests;
