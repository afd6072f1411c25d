//! Guests that read one MiB of the disk and reboot at once: a VMM ends with each reset and starts anew, so nothing may be
//! left of the one before.

use super::{RESET, Scenario, checks, growth};
use crate::disk::Disk;
use crate::report::{Report, Sample};

/// Reboots in a row, by day and by night.
const FEW: u32 = 4;
const MANY: u32 = 20;
/// What the scenarios' names begin with.
const NAME: &str = "again-";
/// Open files and KiB that the host may have more, or less to give, after the last life than after the first: its own caches,
/// and counters that are kept by processor. The kernel tells its open files in steps of 32 for each of two processors; fifteen
/// lives in a row differed by 0.1 MiB of memory on x86_64, fourteen by 1.1 on aarch64.
const FILES: u64 = 64;
const HOST_KIB: u64 = 4 << 10;

pub(super) fn all(long: bool) -> Vec<Scenario> {
    (1..=if long { MANY } else { FEW }).map(scenario).collect()
}

/// The first and the last of several lives in one boot of the host: what the processes held, and what the host has left.
/// A line with the figures, and what has grown.
pub(super) fn across(lives: &[(&str, &Report)]) -> Option<(String, Vec<String>)> {
    let mut lives = lives.iter().filter(|(name, _)| name.starts_with(NAME)).map(|(_, report)| *report);
    let first = lives.next()?;
    let (count, last) = (lives.clone().count() + 1, lives.next_back()?);
    let at = |report: &Report, moment: &str| -> Vec<Sample> {
        report.samples.iter().map(|sample| Sample { moment: moment.to_owned(), ..sample.clone() }).collect()
    };
    let mut failures = growth::growth(&[at(first, "first"), at(last, "last")].concat());
    let mut bounded = |what: &str, seen: Option<(u64, u64)>, may: fn((u64, u64)) -> bool| match seen {
        Some(seen) if may(seen) => {}
        Some((first, last)) => {
            failures.push(format!("{what}: {first} after the first life, {last} after the last"))
        }
        None => failures.push(format!("{what}: not told")),
    };
    let files = first.host_files.zip(last.host_files);
    bounded("open files of the host", files, |(first, last)| last <= first.saturating_add(FILES));
    let kib = first.host_memory_kib.zip(last.host_memory_kib);
    bounded("KiB that the host has to give", kib, |(first, last)| first <= last.saturating_add(HOST_KIB));
    let figures = |report: &Report| {
        let one = |it: &Sample| format!("{} {} files {} KiB", it.role, it.descriptors, it.memory_kib);
        let held: Vec<_> = report.samples.iter().map(one).collect();
        let (files, kib) = (report.host_files.unwrap_or(0), report.host_memory_kib.unwrap_or(0));
        format!("{}; host {files} files, {kib} KiB to give", held.join(", "))
    };
    Some((format!("{count} lives; first: {}; last: {}", figures(first), figures(last)), failures))
}

fn scenario(number: u32) -> Scenario {
    let mut scenario = Scenario::new(&format!("{NAME}{number}"), "");
    scenario.guest.actions = vec!["one-mib"];
    scenario.exit = RESET;
    scenario.judge = judge;
    scenario
}

fn judge(scenario: &Scenario, report: &Report, disk: &Disk) -> Vec<String> {
    let mut failures = checks::ended_well(scenario, report);
    if report.first_mib.as_ref() != Some(&disk.first_mib) {
        failures.push(format!("digest read {:?}, expected {}", report.first_mib, disk.first_mib));
    }
    failures
}

#[cfg(test)]
mod tests;
