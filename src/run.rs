//! `mixvm run`: flags → configuration → plan → files and KVM opened → machine.

use anyhow::{Context, Result};
use hypervisor::Kvm;

use crate::cmdline::RunArgs;
use crate::config::{Arch, Config};
use crate::errors::Refused;
use crate::host::{self, HostFacts};
use crate::machine::{self, BootFiles};
use crate::plan::{self, GuestMap, Plan};

/// Runs a machine until it ends; the exit code says how.
///
/// # Errors
/// Every reason against the run before anything is started, or what failed on the way.
pub fn run(args: &RunArgs, host: &dyn HostFacts) -> Result<u8> {
    let config = Config::from_args(args, Arch::host()).map_err(Refused)?;
    let files = BootFiles::open(&config).map_err(Refused)?;
    let kvm = Kvm::open(None);
    let bits = kvm.as_ref().ok().and_then(|kvm| kvm.phys_bits().ok()).map_or(GuestMap::USUAL_BITS, u32::from);
    let plan = prepare(&config, host, bits)?;
    let kvm = kvm?;
    let layout = machine::layout(&config, &plan, bits).context("lay the guest's memory out")?;
    Ok(machine::run(&config, &plan, &layout, &kvm, files)?.exit_code())
}

/// From a configuration to a plan; `bits` is the width of guest-physical addresses.
fn prepare(config: &Config, host: &dyn HostFacts, bits: u32) -> Result<Plan, Refused> {
    let map =
        plan::guest_map(&config.assignment, config.cpus, bits).map_err(|refusal| Refused(vec![refusal]))?;
    let facts = host::gather(host, &config.assignment);
    let planned = plan::plan(&config.assignment, &facts, &map);
    let mut refusals: Vec<_> = plan::kvm(&facts.machine).into_iter().collect();
    match planned {
        Ok(plan) if refusals.is_empty() => {
            plan.warnings.iter().for_each(|warning| log::warn!("{warning}"));
            Ok(plan)
        }
        Ok(_) => Err(Refused(refusals)),
        Err(more) => {
            refusals.extend(more);
            Err(Refused(refusals))
        }
    }
}
