//! Nothing may pile up in the VMM's processes while the guest goes through the same cycle again and again.

use super::{MANY_REBINDS, REBINDS, Scenario};
use crate::report::{Report, Sample};

/// Memory that a process may have more after the last cycle than after the first, in KiB: caches of its allocator.
/// A page leaked in each cycle is not seen by this; a growing table or thread is.
const SLACK_KIB: u64 = 256;

/// The driver came back each time, and the processes hold after the last time what they held after the first.
pub(super) fn rebinds(scenario: &Scenario, report: &Report) -> Vec<String> {
    if !scenario.guest.actions.contains(&"rebind") {
        return Vec::new();
    }
    let many = scenario.guest.params.contains("lab.rebinds=");
    let wanted = if many { MANY_REBINDS } else { REBINDS };
    let mut failures = Vec::new();
    if report.rebinds != wanted {
        failures.push(format!("the disk's driver came back {} times of {wanted}", report.rebinds));
    }
    if many {
        failures.extend(growth(&report.samples));
    }
    failures
}

/// What each process holds more at the last moment than at the first.
pub(super) fn growth(samples: &[Sample]) -> Vec<String> {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
        return vec!["nobody looked at the VMM's processes".to_owned()];
    };
    if first.moment == last.moment {
        return vec![format!("the VMM's processes were looked at only at {}", first.moment)];
    }
    let at = |moment: &str| -> Vec<&Sample> { samples.iter().filter(|it| it.moment == moment).collect() };
    let (before, after) = (at(&first.moment), at(&last.moment));
    if before.len() != after.len() {
        return vec![format!("{} processes became {}", before.len(), after.len())];
    }
    let mut failures = Vec::new();
    for (old, new) in before.into_iter().zip(after) {
        if old.role != new.role {
            failures.push(format!("the process {} became {}", old.role, new.role));
        }
        if new.descriptors != old.descriptors {
            failures
                .push(format!("{}: {} descriptors became {}", old.role, old.descriptors, new.descriptors));
        }
        if new.locked_kib != old.locked_kib {
            failures.push(format!("{}: {} KiB locked became {}", old.role, old.locked_kib, new.locked_kib));
        }
        if new.memory_kib > old.memory_kib.saturating_add(SLACK_KIB) {
            failures
                .push(format!("{}: {} KiB of memory became {}", old.role, old.memory_kib, new.memory_kib));
        }
    }
    failures
}
