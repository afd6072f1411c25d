//! `mixvm check`: what stands between a device and a guest, found out with the same facts and the same plan as `run`.

mod report;
mod text;

use std::io::Write;

use crate::cmdline::CheckArgs;
use crate::config::{Arch, Assignment};
use crate::errors::{FAILED, Refused};
use crate::host::{HostFacts, gather};
use crate::plan::decide;

use report::CheckReport;

/// Carries the command out; the exit code is 0 when every device can be assigned.
///
/// # Errors
/// The flags contradict each other, or nothing can be printed.
pub fn run(args: &CheckArgs, host: &dyn HostFacts, arch: Arch, out: &mut dyn Write) -> anyhow::Result<u8> {
    let assignment = Assignment::from_check(args, arch).map_err(Refused)?;
    let facts = gather(host, &assignment);
    let outcome = decide(&assignment, 1, &facts);
    let report = CheckReport::new(&assignment, &facts, &outcome);
    if args.json {
        serde_json::to_writer(&mut *out, &report)?;
        writeln!(out)?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(if report.assignable { 0 } else { FAILED })
}

#[cfg(test)]
mod tests;
