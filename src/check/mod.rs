//! `mixvm check`: what stands between a device and a guest, found out with the same facts and the same plan as `run`.

mod report;
mod text;

use std::io::Write;

use serde::Serialize;

use crate::cmdline::CheckArgs;
use crate::config::{Arch, Assignment};
use crate::errors::{FAILED, Refused};
use crate::host::{HostFacts, gather};
use crate::plan::decide;

use report::{CheckReport, FlagsReport};

/// Carries the command out; the exit code is 0 when every device can be assigned.
///
/// # Errors
/// The flags contradict each other and text was asked for, or nothing can be printed.
pub fn run(args: &CheckArgs, host: &dyn HostFacts, arch: Arch, out: &mut dyn Write) -> anyhow::Result<u8> {
    let assignment = match Assignment::from_check(args, arch) {
        Ok(assignment) => assignment,
        // Whoever asked for JSON reads standard output.
        Err(refusals) if args.json => {
            print(out, &FlagsReport::new(&refusals))?;
            return Ok(FAILED);
        }
        Err(refusals) => return Err(Refused(refusals).into()),
    };
    let facts = gather(host, &assignment);
    let outcome = decide(&assignment, 1, &facts);
    let report = CheckReport::new(&assignment, &facts, &outcome);
    if args.json {
        print(out, &report)?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(if report.assignable { 0 } else { FAILED })
}

/// One line of JSON.
fn print(out: &mut dyn Write, report: &impl Serialize) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *out, report)?;
    Ok(writeln!(out)?)
}

#[cfg(test)]
mod tests;
