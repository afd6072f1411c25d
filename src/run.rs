//! `mixvm run`: flags → configuration → facts → plan → files and KVM opened → machine.

use anyhow::{Context, Result};
use hypervisor::Kvm;

use crate::cmdline::RunArgs;
use crate::config::{Arch, Config};
use crate::errors::Refused;
use crate::host::{self, HostFacts};
use crate::machine::{self, BootFiles};
use crate::plan;

/// Runs a machine until it ends; the exit code says how.
///
/// # Errors
/// Every reason against the run before anything is started, or what failed on the way.
pub fn run(args: &RunArgs, host: &dyn HostFacts) -> Result<u8> {
    let config = Config::from_args(args, Arch::host()).map_err(Refused)?;
    let files = BootFiles::open(&config).map_err(Refused)?;
    let facts = host::gather(host, &config.assignment);
    let plan = plan::decide(&config.assignment, config.cpus, &facts).map_err(Refused)?;
    plan.warnings.iter().for_each(|warning| log::warn!("{warning}"));
    let kvm = Kvm::open(None)?;
    let bits = u32::from(kvm.phys_bits()?);
    let layout = machine::layout(&config, &plan, bits).context("lay the guest's memory out")?;
    Ok(machine::run(&config, &plan, &layout, &kvm, files)?.exit_code())
}
