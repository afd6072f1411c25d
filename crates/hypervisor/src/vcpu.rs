//! A virtual processor and its run loop step.

use std::fmt;
use std::io;
use std::sync::Arc;

use kvm_bindings as kvm;
use kvm_ioctls::{VcpuExit, VcpuFd};
use thiserror::Error;

use crate::kick::{KickState, VcpuKicker};
use crate::vm::{Handle, Vm};

const RUN: &str = "KVM_RUN";

/// Why a processor could not be made, set up or run.
#[derive(Debug, Error)]
#[error("processor {id}: {call}: {source}{}{}", place(*.pc), hint(call, source))]
pub struct VcpuError {
    /// Number of the processor.
    pub id: u32,
    /// The ioctl.
    pub call: &'static str,
    /// Guest program counter, where known.
    pub pc: Option<u64>,
    /// What the kernel answered.
    pub source: io::Error,
}

/// Answers the accesses that leave the guest. Reads fill all of `data`.
pub trait ExitHandler {
    /// The guest reads `data.len()` (1 to 8) bytes at guest-physical `gpa`.
    fn mmio_read(&mut self, gpa: u64, data: &mut [u8]);

    /// The guest writes `data` at guest-physical `gpa`.
    fn mmio_write(&mut self, gpa: u64, data: &[u8]);

    /// The guest reads 1, 2 or 4 bytes at an x86 port; all ones where nobody answers.
    fn port_in(&mut self, _port: u16, data: &mut [u8]) {
        data.fill(0xff);
    }

    /// The guest writes 1, 2 or 4 bytes to an x86 port.
    fn port_out(&mut self, _port: u16, _data: &[u8]) {}

    /// The guest has made an access that nobody can answer, and got a fault for it.
    fn unanswerable(&mut self, access: Unanswerable);
}

/// An access to a device by an instruction that KVM cannot take apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswerable {
    /// Number of the processor.
    pub id: u32,
    /// Guest program counter, where known.
    pub pc: Option<u64>,
}

impl fmt::Display for Unanswerable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = place(self.pc);
        write!(
            f,
            "processor {} reaches a device with an instruction that KVM cannot take apart{place}",
            self.id
        )
    }
}

/// What KVM could not go on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// KVM gave up: 1 cannot emulate an instruction, 2 and 3 event delivery, 4 unexpected exit of the hardware.
    Internal {
        /// `KVM_INTERNAL_ERROR_*`.
        suberror: u32,
        /// What belongs to it.
        data: Vec<u64>,
    },
    /// The hardware refused the processor's state.
    Entry {
        /// The hardware's reason.
        reason: u64,
        /// Host processor.
        cpu: u32,
    },
    /// Guest memory could not be reached on the host.
    Memory {
        /// Guest-physical address.
        gpa: u64,
        /// Bytes.
        size: u64,
    },
    /// An exit that we did not ask for.
    Unexpected {
        /// `KVM_EXIT_*`.
        reason: u32,
    },
}

/// A processor that cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Number of the processor.
    pub id: u32,
    /// What happened.
    pub fault: Fault,
    /// Guest program counter, where known.
    pub pc: Option<u64>,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "processor {} cannot go on: ", self.id)?;
        match &self.fault {
            Fault::Internal { suberror, data } => {
                write!(f, "KVM internal error {suberror}, data {data:x?}")?;
            }
            Fault::Entry { reason, cpu } => {
                write!(f, "the hardware refused its state, reason {reason:#x} on host processor {cpu}")?;
            }
            Fault::Memory { gpa, size } => {
                write!(f, "guest memory {gpa:#x}+{size:#x} cannot be reached on the host")?;
            }
            Fault::Unexpected { reason } => write!(f, "unexpected KVM exit {reason}")?,
        }
        f.write_str(&place(self.pc))
    }
}

/// What is behind an error that says little.
fn hint(call: &str, source: &io::Error) -> &'static str {
    match source.raw_os_error() {
        Some(libc::ENOSYS) if call == RUN => {
            ": the guest reaches a device with an instruction that KVM cannot take apart, \
             and only KVM of Linux 5.5 or later can give it a fault for that"
        }
        _ => "",
    }
}

fn place(pc: Option<u64>) -> String {
    pc.map_or_else(String::new, |pc| format!(", at guest address {pc:#x}"))
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// An access was answered, or nothing is to be done: run again.
    Continue,
    /// Kicked, or a signal came.
    Interrupted,
    /// Triple fault (x86).
    Shutdown,
    /// The guest asked for a reset.
    SystemReset,
    /// The guest asked for power-off.
    SystemOff,
    /// The guest says that it crashed.
    Crash,
    /// The processor cannot go on.
    InternalError(Stuck),
}

/// A processor. Runs on the thread that calls [`Vcpu::run`].
pub struct Vcpu {
    id: u32,
    // Fields drop in order: no kick may reach the page that `fd` unmaps.
    kick: KickState,
    pub(crate) fd: VcpuFd,
    _vm: Arc<Handle>,
}

impl Vcpu {
    /// Makes processor `id`, 0 being the one that boots; the others wait to be started by the guest. Each number below the
    /// machine's count once.
    pub fn new(vm: &Vm, id: u32) -> Result<Vcpu, VcpuError> {
        let refused = |errno: kvm_ioctls::Error| VcpuError {
            id,
            call: "KVM_CREATE_VCPU",
            pc: None,
            source: errno.into(),
        };
        if id >= vm.vcpus() {
            return Err(refused(kvm_ioctls::Error::new(libc::EINVAL)));
        }
        let mut fd = vm.handle().fd.create_vcpu(id.into()).map_err(refused)?;
        let kick = KickState::new(fd.get_kvm_run());
        let vcpu = Vcpu { id, kick, fd, _vm: vm.handle().clone() };
        vcpu.set_up(vm)?;
        Ok(vcpu)
    }

    /// The processor's number.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// A handle that interrupts the processor from any thread.
    pub fn kicker(&self) -> VcpuKicker {
        self.kick.kicker()
    }

    /// Runs the guest until something is to be done. Accesses are answered through `handler`.
    pub fn run(&mut self, handler: &mut impl ExitHandler) -> Result<Exit, VcpuError> {
        self.kick.enter().map_err(|source| self.error("unblocking the kick signal", source))?;
        let fault = match self.fd.run() {
            Ok(VcpuExit::MmioRead(gpa, data)) => {
                handler.mmio_read(gpa, data);
                return Ok(Exit::Continue);
            }
            Ok(VcpuExit::MmioWrite(gpa, data)) => {
                handler.mmio_write(gpa, data);
                return Ok(Exit::Continue);
            }
            Ok(VcpuExit::IoIn(..) | VcpuExit::IoOut(..)) => {
                port_io(self.fd.get_kvm_run(), handler);
                return Ok(Exit::Continue);
            }
            Ok(VcpuExit::Intr) => return Ok(self.interrupted()),
            Ok(VcpuExit::Hlt | VcpuExit::IrqWindowOpen | VcpuExit::Nmi) => return Ok(Exit::Continue),
            Ok(VcpuExit::Shutdown) => return Ok(Exit::Shutdown),
            Ok(VcpuExit::SystemEvent(kvm::KVM_SYSTEM_EVENT_SHUTDOWN, _)) => return Ok(Exit::SystemOff),
            Ok(VcpuExit::SystemEvent(kvm::KVM_SYSTEM_EVENT_RESET, _)) => return Ok(Exit::SystemReset),
            Ok(VcpuExit::SystemEvent(kvm::KVM_SYSTEM_EVENT_CRASH, _)) => return Ok(Exit::Crash),
            Ok(VcpuExit::FailEntry(reason, cpu)) => Fault::Entry { reason, cpu },
            Ok(VcpuExit::MemoryFault { gpa, size, .. }) => Fault::Memory { gpa, size },
            Ok(VcpuExit::InternalError) => internal(self.fd.get_kvm_run()),
            Ok(_) => Fault::Unexpected { reason: self.fd.get_kvm_run().exit_reason },
            Err(errno) => return self.run_refused(errno.into()),
        };
        let (id, pc) = (self.id, self.pc());
        if self.fault_back(&fault)? {
            handler.unanswerable(Unanswerable { id, pc });
            return Ok(Exit::Continue);
        }
        Ok(Exit::InternalError(Stuck { id, fault, pc }))
    }

    fn run_refused(&self, source: io::Error) -> Result<Exit, VcpuError> {
        match source.raw_os_error() {
            Some(libc::EINTR) => Ok(self.interrupted()),
            // A processor that waited to be started was started.
            Some(libc::EAGAIN) => Ok(Exit::Continue),
            _ => Err(VcpuError { id: self.id, call: RUN, pc: self.pc(), source }),
        }
    }

    fn interrupted(&self) -> Exit {
        self.kick.taken();
        Exit::Interrupted
    }

    pub(crate) fn error(&self, call: &'static str, source: io::Error) -> VcpuError {
        VcpuError { id: self.id, call, pc: None, source }
    }
}

/// Answers a port exit, which may be a string instruction with many elements.
fn port_io(run: &mut kvm::kvm_run, handler: &mut impl ExitHandler) {
    // SAFETY: the caller saw KVM_EXIT_IO, so this is the member that the kernel filled.
    let io = unsafe { run.__bindgen_anon_1.io };
    let (size, count) = (usize::from(io.size), io.count as usize);
    if size == 0 {
        return;
    }
    let start = (&raw mut *run).cast::<u8>();
    // SAFETY: the kernel places the elements at this offset inside the shared area, which is mapped whole behind `run` and
    // borrowed mutably through it for this call.
    let data = unsafe {
        let first = start.add(io.data_offset as usize);
        std::slice::from_raw_parts_mut(first, size * count)
    };
    for element in data.chunks_exact_mut(size) {
        if u32::from(io.direction) == kvm::KVM_EXIT_IO_IN {
            handler.port_in(io.port, element);
        } else {
            handler.port_out(io.port, element);
        }
    }
}

/// What KVM tells about an internal error.
fn internal(run: &kvm::kvm_run) -> Fault {
    // SAFETY: the caller saw KVM_EXIT_INTERNAL_ERROR, so this is the member that the kernel filled; any bits are valid in it.
    let internal = unsafe { run.__bindgen_anon_1.internal };
    let count = (internal.ndata as usize).min(internal.data.len());
    Fault::Internal { suberror: internal.suberror, data: internal.data[..count].to_vec() }
}

#[cfg(test)]
mod tests;
