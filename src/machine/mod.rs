//! The machine: from a plan to a running guest and back.
//!
//! open (every path becomes a descriptor) → assemble (devices get all they need as arguments) → run → take down.
//! Nothing of the host is changed before everything could be opened.

mod adapters;
mod assigned;
mod background;
#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
mod board;
mod console;
mod control;
mod emulated;
mod files;
mod island;
mod life;
mod outcome;
mod own;
mod pci;
mod printer;
mod running;
mod signals;
mod vcpus;

use std::sync::Arc;

use anyhow::{Context, Result};
use base::GuestRam;
use devices::bus::Bus;
use hypervisor::{Kvm, Vcpu, Vm};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use vm_control::Listener;

use crate::config::Config;
use crate::plan::Plan;
use crate::process::Sandbox;

pub use board::{Layout, layout};
pub use files::BootFiles;
pub use outcome::Outcome;

use adapters::KvmDoorbells;
use assigned::Assigned;
use life::Control;
use running::Running;
use signals::Signals;

/// The address spaces of trapped accesses.
#[derive(Clone, Default)]
pub(crate) struct Buses {
    /// Guest-physical addresses.
    pub memory: Arc<Bus>,
    /// x86 ports.
    pub ports: Arc<Bus>,
}

/// What every device may need.
pub(crate) struct Parts {
    pub vm: Arc<Vm>,
    pub ram: GuestRam,
    pub buses: Buses,
    pub control: Arc<Control>,
    pub doorbells: Arc<KvmDoorbells>,
}

/// Runs the machine until the guest or somebody else ends it.
pub fn run(
    config: &Config,
    plan: &Plan,
    layout: &Layout,
    kvm: &Kvm,
    mut files: BootFiles,
) -> Result<Outcome> {
    let signals = Signals::block()?;
    let listener = config.socket.as_deref().map(Listener::bind).transpose()?;
    base::raise_memlock(plan.memlock).context("assigned devices lock guest memory")?;
    raise_open_files();
    hypervisor::install_signal_handler().context("install the handler that stops vCPUs")?;
    let ram = GuestRam::new(&layout.ram())?.in_huge_pages();
    let vm = Arc::new(Vm::new(kvm, &board::vm_config(config, layout)).context("make the virtual machine")?);
    vm.add_ram(&ram).context("give the virtual machine its RAM")?;
    let cpus = u32::from(config.cpus);
    let vcpus = (0..cpus).map(|id| Vcpu::new(&vm, id)).collect::<Result<Vec<_>, _>>()?;
    vm.finish().context("start the interrupt controller")?;
    let parts = Parts {
        doorbells: Arc::new(KvmDoorbells(vm.clone())),
        buses: Buses::default(),
        control: Arc::new(Control::new(vcpus.len(), vcpus::kick(&vcpus))),
        vm,
        ram,
    };
    let signals = signals.watch(&parts.control)?;
    end_on_panic(&parts.control);
    let (output, log) = console::output(&config.serial)?;
    let serial = board::add_devices(&parts, layout, output)?;
    let (emulated, mut ends) = emulated::ready(plan, std::mem::take(&mut files.own));
    ends.logs.extend(log);
    // Before any device is touched: a file that is no kernel is found out here.
    let loaded = board::boot(&parts, config, plan, layout, &vcpus, files);
    loaded.with_context(|| format!("load the kernel {}", config.kernel.display()))?;
    let assigned = Assigned::open(plan, &parts.vm, &parts.ram)?;
    let lookout = assigned.listen(&parts.control)?;
    let mut sandbox = Sandbox::new(config.sandbox)?;
    let built = pci::assemble((&parts, layout), plan, &assigned, emulated, &mut sandbox)?;
    let mut running = Running::new((signals, lookout), parts, assigned, built, sandbox)?;
    running.open_to_users((&config.serial, serial), ends, listener)?;
    log::info!("the guest starts: {cpus} vCPUs, {} of RAM", base::bytes(running.parts.ram.size()));
    let outcome = vcpus::run(vcpus, &running.parts.control, &running.parts.buses)?;
    log::info!("the guest has ended: {outcome}");
    Ok(outcome)
}

/// As many open files as the host allows: each interrupt of an assigned device is one, and the usual 1024 are soon gone.
fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if let Err(errno) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        log::warn!("at most {current:?} files can be open, for the limit cannot be raised: {errno}");
    }
}

/// Ends the machine when a thread of this process panics, a device's own where devices run in here: nobody would do its work.
/// (A worker's panic ends the worker, and the undertaker hears of that.)
fn end_on_panic(control: &Arc<Control>) {
    let (tell, control) = (std::panic::take_hook(), control.clone());
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        control.end(Outcome::Crash);
    }));
}

#[cfg(test)]
mod tests;
