//! The machine: memory, interrupt chips, doorbells. Processors are [`Vcpu`](crate::Vcpu).
//!
//! Invariant: whoever holds a descriptor of the machine in the kernel (processors, VFIO link) holds [`Handle`] too, so guest
//! memory stays mapped until the last of them is gone.

use std::io;
use std::sync::Arc;

use base::{EventFd, GuestRam};
use data_model::Span;
use kvm_bindings as kvm;
use kvm_ioctls::{IoEventAddress, NoDatamatch, VmFd};
use sync::Mutex;
use thiserror::Error;

use crate::arch;
use crate::irq::{IrqError, IrqPlan, IrqRoutes, IrqSink};
use crate::kvm::{Kvm, OpenError};
use crate::memory::{DeviceMapping, MemoryError, MemoryMap, MemorySink, SlotId};
use crate::routes::{Route, Target, Wiring};

/// Why a machine could not be made.
#[derive(Debug, Error)]
pub enum VmError {
    /// KVM refused a step.
    #[error("{call}: {source}{}", hint(source))]
    Kvm {
        /// The ioctl.
        call: &'static str,
        /// What the kernel answered.
        source: io::Error,
    },
    /// More processors than KVM can run.
    #[error("{asked} processors asked for, this host's KVM runs 1 to {most}")]
    Vcpus {
        /// Processors asked for.
        asked: u32,
        /// The most there can be.
        most: u32,
    },
    /// A question to KVM failed.
    #[error(transparent)]
    Ask(#[from] OpenError),
    /// The interrupt table was refused.
    #[error(transparent)]
    Irq(#[from] IrqError),
}

impl VmError {
    pub(crate) fn new(call: &'static str, source: io::Error) -> VmError {
        VmError::Kvm { call, source }
    }
}

fn hint(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EBUSY) => " (another virtualization product may hold the processor's virtualization)",
        Some(libc::EEXIST) => " (there already is one)",
        Some(libc::EMFILE | libc::ENFILE) => " (raise the limit on open files, `ulimit -n`)",
        Some(libc::ENODEV) => " (this host does not offer it)",
        _ => "",
    }
}

/// What a machine is made of.
#[derive(Clone, Debug)]
pub struct VmConfig {
    /// Processors, at least 1.
    pub vcpus: u32,
    /// The interrupt controller.
    #[cfg(target_arch = "aarch64")]
    pub gic: arch::GicConfig,
}

/// The machine's descriptor and the memory that it shows.
pub(crate) struct Handle {
    // Fields drop in order: the descriptor goes before the memory.
    pub(crate) fd: VmFd,
    memory: Mutex<MemoryMap>,
}

/// A virtual machine.
pub struct Vm {
    handle: Arc<Handle>,
    irqs: Arc<IrqRoutes>,
    chips: arch::Chips,
    vcpus: u32,
}

impl Vm {
    /// A machine with interrupt chips, without memory and processors.
    pub fn new(host: &Kvm, config: &VmConfig) -> Result<Vm, VmError> {
        let (asked, most) = (config.vcpus, host.max_vcpus());
        if asked == 0 || asked > most {
            return Err(VmError::Vcpus { asked, most });
        }
        let fd = host.create().map_err(|e| VmError::new("KVM_CREATE_VM", e))?;
        let chips = arch::Chips::new(host, &fd, config)?;
        let memory = MemoryMap::new(host.max_slots(), page_size(), arch::RESERVED.to_vec());
        let handle = Arc::new(Handle { fd, memory: Mutex::new(memory) });
        let plan = IrqPlan { wiring: chips.wiring(), limit: host.max_routes(), devids: chips.devids() };
        let irqs = IrqRoutes::new(Box::new(KvmIrqs(handle.clone())), plan);
        if arch::Chips::READY_AT_ONCE {
            irqs.activate()?;
        }
        Ok(Vm { handle, irqs, chips, vcpus: config.vcpus })
    }

    /// Initializes the interrupt controller, which on aarch64 needs all processors to exist. To be called once after the last
    /// [`Vcpu::new`](crate::Vcpu::new) and before the first run, on every architecture.
    pub fn finish(&self) -> Result<(), VmError> {
        self.chips.finish()?;
        Ok(self.irqs.activate()?)
    }

    /// Shows guest RAM at its own addresses; it stays mapped as long as the machine or one of its processors exists.
    pub fn add_ram(&self, ram: &GuestRam) -> Result<(), MemoryError> {
        self.handle.memory.lock().add_ram(&*self.handle, ram)
    }

    /// Shows device memory, which is kept mapped until [`Vm::unmap_device`].
    pub fn map_device(&self, mapping: &DeviceMapping) -> Result<SlotId, MemoryError> {
        self.handle.memory.lock().map(&*self.handle, mapping)
    }

    /// Takes device memory out. On failure the guest may still see it, and it stays mapped.
    pub fn unmap_device(&self, slot: SlotId) -> Result<(), MemoryError> {
        self.handle.memory.lock().unmap(&*self.handle, slot)
    }

    /// A guest write of any size and value at `gpa` writes `event`, without an exit.
    pub fn bind_doorbell(&self, gpa: u64, event: &EventFd) -> io::Result<()> {
        let place = IoEventAddress::Mmio(gpa);
        self.handle.fd.register_ioevent(event, &place, NoDatamatch).map_err(io::Error::from)
    }

    /// Undoes [`Vm::bind_doorbell`].
    pub fn unbind_doorbell(&self, gpa: u64, event: &EventFd) -> io::Result<()> {
        let place = IoEventAddress::Mmio(gpa);
        self.handle.fd.unregister_ioevent(event, &place, NoDatamatch).map_err(io::Error::from)
    }

    /// The interrupts: message interrupts and lines.
    pub fn irqs(&self) -> &Arc<IrqRoutes> {
        &self.irqs
    }

    /// How the interrupts are numbered.
    pub fn wiring(&self) -> Wiring {
        self.chips.wiring()
    }

    /// Processors that the machine was made for.
    pub fn vcpus(&self) -> u32 {
        self.vcpus
    }

    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    #[cfg(target_arch = "x86_64")]
    pub(crate) fn chips(&self) -> &arch::Chips {
        &self.chips
    }
}

/// Bytes of a page of the host.
fn page_size() -> u64 {
    // SAFETY: asks for a constant of the system.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).unwrap_or(4096)
}

impl MemorySink for Handle {
    fn set(&self, slot: u32, span: Span, hva: u64, read_only: bool) -> io::Result<()> {
        let flags = if read_only { kvm::KVM_MEM_READONLY } else { 0 };
        // A size of 0 would mean "take out": the whole address space cannot be one slot.
        let size = span.len().ok_or(io::ErrorKind::InvalidInput)?;
        self.set_region(slot, flags, (span.start(), size), hva)
    }

    fn clear(&self, slot: u32, span: Span) -> io::Result<()> {
        self.set_region(slot, 0, (span.start(), 0), 0)
    }
}

impl Handle {
    fn set_region(&self, slot: u32, flags: u32, (gpa, size): (u64, u64), hva: u64) -> io::Result<()> {
        let region = kvm::kvm_userspace_memory_region {
            slot,
            flags,
            guest_phys_addr: gpa,
            memory_size: size,
            userspace_addr: hva,
        };
        // SAFETY: the callers, all in `MemoryMap`, hold on to the memory behind `hva` until the slot was taken out; that lives
        // in this value after the descriptor, and every holder of the machine in the kernel holds this value.
        unsafe { self.fd.set_user_memory_region(region) }.map_err(io::Error::from)
    }
}

/// KVM as the place where interrupts go.
struct KvmIrqs(Arc<Handle>);

impl IrqSink for KvmIrqs {
    fn set_routes(&self, routes: &[Route]) -> io::Result<()> {
        let entries: Vec<_> = routes.iter().map(entry).collect();
        let table =
            kvm::KvmIrqRouting::from_entries(&entries).map_err(|e| io::Error::other(format!("{e:?}")))?;
        self.0.fd.set_gsi_routing(&table).map_err(io::Error::from)
    }

    fn attach(&self, gsi: u32, trigger: &EventFd, resample: Option<&EventFd>) -> io::Result<()> {
        let fd = &self.0.fd;
        let done = match resample {
            Some(resample) => fd.register_irqfd_with_resample(trigger, resample, gsi),
            None => fd.register_irqfd(trigger, gsi),
        };
        done.map_err(io::Error::from)
    }

    fn detach(&self, gsi: u32, trigger: &EventFd) -> io::Result<()> {
        self.0.fd.unregister_irqfd(trigger, gsi).map_err(io::Error::from)
    }

    fn set_line(&self, word: u32, level: bool) -> io::Result<()> {
        self.0.fd.set_irq_line(word, level).map_err(io::Error::from)
    }
}

/// A route in the kernel's words.
fn entry(route: &Route) -> kvm::kvm_irq_routing_entry {
    let mut entry = kvm::kvm_irq_routing_entry { gsi: route.gsi, ..Default::default() };
    match route.target {
        Target::Pin { chip, pin } => {
            entry.type_ = kvm::KVM_IRQ_ROUTING_IRQCHIP;
            entry.u.irqchip = kvm::kvm_irq_routing_irqchip { irqchip: chip, pin };
        }
        Target::Msi { address, data, devid } => {
            entry.type_ = kvm::KVM_IRQ_ROUTING_MSI;
            entry.flags = if devid.is_some() { kvm::KVM_MSI_VALID_DEVID } else { 0 };
            entry.u.msi = kvm::kvm_irq_routing_msi {
                address_lo: address as u32,
                address_hi: (address >> 32) as u32,
                data,
                ..Default::default()
            };
            entry.u.msi.__bindgen_anon_1.devid = devid.unwrap_or(0);
        }
    }
    entry
}

#[cfg(test)]
mod tests;
