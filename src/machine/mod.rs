//! The machine: from a plan to a running guest and back.
//!
//! open (every path becomes a descriptor) → assemble (devices get all they need as arguments) → run → take down.
//! Nothing of the host is changed before everything could be opened.

mod adapters;
mod assigned;
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
mod vcpus;

use std::sync::Arc;

use anyhow::{Context, Result};
use base::GuestRam;
use devices::bus::Bus;
use hypervisor::{Kvm, Vcpu, Vm};
use jail::Children;

use crate::config::Config;
use crate::plan::Plan;
use crate::process::{Sandbox, Undertaker};

pub use board::{Layout, layout};
pub use files::BootFiles;
pub use outcome::Outcome;

use adapters::KvmDoorbells;
use assigned::{Assigned, Blocker};
use life::Control;
use printer::Printer;

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
    base::raise_memlock(plan.memlock).context("assigned devices lock guest memory")?;
    hypervisor::install_signal_handler().context("install the handler that stops vCPUs")?;
    let ram = GuestRam::new(&layout.ram())?;
    let vm = Arc::new(Vm::new(kvm, &board::vm_config(config, layout)).context("make the virtual machine")?);
    vm.add_ram(&ram).context("give the virtual machine its RAM")?;
    let cpus = u32::from(config.cpus);
    let vcpus = (0..cpus).map(|id| Vcpu::new(&vm, id)).collect::<Result<Vec<_>, _>>()?;
    vm.finish().context("start the interrupt controller")?;
    let assigned = Assigned::open(plan, &vm, &ram)?;
    let parts = Parts {
        doorbells: Arc::new(KvmDoorbells(vm.clone())),
        buses: Buses::default(),
        control: Arc::new(Control::new(vcpus.len(), vcpus::kick(&vcpus))),
        vm,
        ram,
    };
    end_on_panic(&parts.control);
    let serial = board::add_devices(&parts, layout, console::output(&config.serial)?)?;
    let mut sandbox = Sandbox::new(config.sandbox)?;
    let (emulated, terminal) = emulated::ready(plan, std::mem::take(&mut files.own));
    let built = pci::assemble((&parts, layout), plan, &assigned, emulated, &mut sandbox)?;
    let (children, threads) = sandbox.into_parts();
    let undertaker =
        children.map(|children| bury(children, &parts.control, assigned.blocker())).transpose()?;
    board::boot(&parts, config, plan, layout, &vcpus, files)?;
    let printers = terminal.printed.into_iter().map(|pipe| Printer::start(pipe, console::stdout()));
    let printers = printers.collect::<Result<Vec<_>>>()?;
    let typed = console::Typed::of(&config.serial, serial, terminal.typed);
    let console = typed.map(|typed| console::Input::start(typed, &parts.control)).transpose()?.flatten();
    let server = control::Server::start(config.socket.as_deref(), &parts.control, built.island.clone())?;
    log::info!("the guest starts: {cpus} vCPUs, {} of RAM", base::bytes(parts.ram.size()));
    let outcome = vcpus::run(vcpus, &parts.control, &parts.buses)?;
    log::info!("the guest has ended: {outcome}");
    if let Some(undertaker) = &undertaker {
        undertaker.machine_ends();
    }
    // With the last end of their tubes the workers end, and their devices stop; main's own descriptors go after that.
    drop((console, server, built, parts));
    drop(undertaker);
    threads.into_iter().for_each(|thread| drop(thread.join()));
    // What the devices have written by now is all that they ever will.
    drop(printers);
    drop(assigned);
    Ok(outcome)
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

/// Ends the machine, without any DMA, when a device process dies.
fn bury(children: Children, control: &Arc<Control>, blocker: Blocker) -> Result<Undertaker> {
    let control = control.clone();
    Undertaker::start(children, move |what| {
        log::error!("{what}; its devices are stopped, and the machine ends");
        blocker.block_all();
        control.end(Outcome::Crash);
    })
}

#[cfg(test)]
mod tests;
