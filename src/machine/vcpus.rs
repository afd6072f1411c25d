//! The processors' threads.

use std::sync::Arc;

use anyhow::{Context, Result};
use hypervisor::{Exit, ExitHandler, Vcpu};

use super::Buses;
use super::outcome::{Control, Outcome};

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
    let mut exits = Exits(buses);
    while control.outcome().is_none() {
        let outcome = match vcpu.run(&mut exits) {
            Ok(Exit::Continue | Exit::Interrupted) => continue,
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
        control.end(outcome);
    }
}

/// Hands accesses to the buses. Where nobody answers, reads are all ones and writes are lost, as on real buses.
struct Exits<'a>(&'a Buses);

impl ExitHandler for Exits<'_> {
    fn mmio_read(&mut self, gpa: u64, data: &mut [u8]) {
        self.0.memory.read(gpa, data);
    }

    fn mmio_write(&mut self, gpa: u64, data: &[u8]) {
        self.0.memory.write(gpa, data);
    }

    fn port_in(&mut self, port: u16, data: &mut [u8]) {
        self.0.ports.read(port.into(), data);
    }

    fn port_out(&mut self, port: u16, data: &[u8]) {
        self.0.ports.write(port.into(), data);
    }
}
