//! The processors' threads.

use std::sync::Arc;

use anyhow::{Context, Result};
use hypervisor::{Exit, ExitHandler, Unanswerable, Vcpu, VcpuKicker};

use super::life::{Control, Halting, Kick};
use super::{Buses, Outcome};

/// Brings all processors to their checkpoint.
pub fn kick(vcpus: &[Vcpu]) -> Kick {
    let kickers: Vec<_> = vcpus.iter().map(Vcpu::kicker).collect();
    Box::new(move || kickers.iter().for_each(VcpuKicker::kick))
}

/// Runs all processors, each on a thread of its own, until the machine ends.
pub fn run(vcpus: Vec<Vcpu>, control: &Arc<Control>, buses: &Buses) -> Result<Outcome> {
    let mut threads = Vec::with_capacity(vcpus.len());
    for vcpu in vcpus {
        let name = format!("vcpu{}", vcpu.id());
        let (ending, buses) = (control.clone(), buses.clone());
        let thread = std::thread::Builder::new().name(name.clone()).spawn(move || {
            // A processor whose thread dies takes the machine with it.
            let guard = EndOnPanic(&ending);
            serve(vcpu, &ending, &buses);
            std::mem::forget(guard);
        });
        match thread {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                control.end(Outcome::Crash);
                return Err(error).with_context(|| format!("start thread {name}"));
            }
        }
    }
    let outcome = control.wait();
    for thread in threads {
        if thread.join().is_err() {
            log::error!("a vCPU thread has died");
        }
    }
    Ok(outcome)
}

struct EndOnPanic<'a>(&'a Control);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        self.0.end(Outcome::Crash);
    }
}

fn serve(mut vcpu: Vcpu, control: &Control, buses: &Buses) {
    let mut exits = Exits { buses, complained: false };
    loop {
        let outcome = match vcpu.run(&mut exits) {
            Ok(Exit::Continue) => continue,
            // Whoever wants a processor to stop kicks it; its last access is complete when this comes.
            Ok(Exit::Interrupted) if control.checkpoint(&mut Processor(&vcpu)) => continue,
            Ok(Exit::Interrupted) => return,
            Ok(Exit::SystemOff) => Outcome::PowerOff,
            Ok(Exit::SystemReset) => Outcome::Reset,
            Ok(Exit::Shutdown) => {
                log::error!("the guest has crashed: triple fault on vCPU {}", vcpu.id());
                Outcome::Crash
            }
            Ok(Exit::Crash) => {
                log::error!("the guest says that it has crashed");
                Outcome::Crash
            }
            Ok(Exit::InternalError(stuck)) => {
                log::error!("{stuck}");
                Outcome::Crash
            }
            Err(error) => {
                log::error!("{error}");
                Outcome::Crash
            }
        };
        return control.end(outcome);
    }
}

/// A processor at its checkpoint. What KVM refuses there costs the guest a warning at most, so it is only told.
struct Processor<'a>(&'a Vcpu);

impl Halting for Processor<'_> {
    fn read_clock(&mut self) -> Option<u64> {
        self.0.clock().unwrap_or_else(|error| {
            log::warn!("the guest's clock goes on while the machine is halted: {error}");
            None
        })
    }

    fn set_clock(&mut self, clock: u64) {
        if let Err(error) = self.0.set_clock(clock) {
            log::warn!("the guest's clock has gone on while the machine was halted: {error}");
        }
    }

    fn was_halted(&mut self) {
        if let Err(error) = self.0.was_halted() {
            log::warn!("the guest is not told that it was halted: {error}");
        }
    }
}

/// Hands accesses to the buses. Where nobody answers, reads are all ones and writes are lost, as on real buses.
struct Exits<'a> {
    buses: &'a Buses,
    complained: bool,
}

impl ExitHandler for Exits<'_> {
    fn mmio_read(&mut self, gpa: u64, data: &mut [u8]) {
        self.buses.memory.read(gpa, data);
    }

    fn mmio_write(&mut self, gpa: u64, data: &[u8]) {
        self.buses.memory.write(gpa, data);
    }

    fn port_in(&mut self, port: u16, data: &mut [u8]) {
        self.buses.ports.read(port.into(), data);
    }

    fn port_out(&mut self, port: u16, data: &[u8]) {
        self.buses.ports.write(port.into(), data);
    }

    fn unanswerable(&mut self, access: Unanswerable) {
        // A process of the guest can go on like this for ever.
        if !std::mem::replace(&mut self.complained, true) {
            log::warn!("{access}: the guest gets a fault; later ones of this processor are not told");
        }
    }
}
