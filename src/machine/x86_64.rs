//! The PC board: ports, interrupt lines, the boot processor.

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::{Context, Result};
use arch::x86_64::{AcpiShape, Boot, ports};
use data_model::Span;
use devices::bus::{BusDevice, SharedDevice};
use devices::irq::MsiMessage;
use devices::pci::{ConfigPorts, PciRoot};
use devices::platform::{I8042, PowerBlock, SerialInput, SerialPort};
use hypervisor::{LongModeEntry, MsiGsi, Vcpu, VmConfig};
use sync::Mutex;

use super::adapters::KvmLine;
use super::{BootFiles, Parts, files};
use crate::config::Config;
use crate::plan::Plan;

pub use arch::x86_64::Layout;

/// Ports that BARs may have.
pub(crate) const PORTS: Option<Span> = Some(fixed(ports::PCI_IO_FIRST as u64, 0xefff));
/// Interrupt messages are not memory accesses here.
pub(crate) const MSI_TRANSLATES: bool = false;

/// How messages become interrupts: KVM knows the address itself.
#[derive(Clone, Copy)]
pub(crate) struct MsiDoorbell;

impl MsiDoorbell {
    /// Routes `gsi` as `message` says.
    pub fn route(self, gsi: &MsiGsi, message: MsiMessage) -> io::Result<()> {
        Ok(gsi.route(message.address, message.data)?)
    }
}

/// The machine's doorbell.
pub(crate) fn msi_doorbell(_layout: &Layout) -> MsiDoorbell {
    MsiDoorbell
}

/// Where devices write messages, where that is memory.
pub(crate) fn doorbell_page(_layout: &Layout) -> Option<Span> {
    None
}

/// The address map of a guest; `bits` is the width of its physical addresses.
///
/// # Errors
/// More RAM than the processor can address.
pub fn layout(config: &Config, plan: &Plan, bits: u32) -> Result<Layout> {
    Ok(Layout::new(config.assignment.memory, bits, &plan.bar_room)?)
}

/// What KVM is to make.
pub(crate) fn vm_config(config: &Config, _layout: &Layout) -> VmConfig {
    VmConfig { vcpus: config.cpus.into() }
}

/// The line of pin A of a root-bus device.
pub(crate) fn intx_gsi(device: u8) -> u32 {
    ports::pci_intx_gsi(device, 0)
}

/// What the interrupt-line registers say for pins A to D of device 0.
pub(crate) fn interrupt_lines() -> Option<[u8; 4]> {
    Some([0, 1, 2, 3].map(|pin| ports::pci_intx_gsi(0, pin) as u8))
}

/// Serial port, power, reset, keyboard controller. Returns the way in for what is typed.
pub(crate) fn add_devices(
    parts: &Parts,
    _layout: &Layout,
    output: Box<dyn Write + Send>,
) -> Result<SerialInput> {
    let line = parts.vm.irqs().line(ports::COM1_GSI)?;
    let serial = SerialPort::new(Arc::new(KvmLine(line)), output);
    let input = serial.input();
    let com1 = u64::from(ports::COM1);
    add(parts, "the serial port", fixed(com1, com1 + SerialPort::LEN - 1), serial)?;
    let power = PowerBlock::new(parts.control.clone(), ports::S5_SLEEP_TYPE);
    add(parts, "the power registers", PowerBlock::SPAN, power)?;
    add(parts, "the keyboard controller", I8042::SPAN, I8042::new(parts.control.clone()))?;
    Ok(input)
}

/// Port access to the configuration space, with the reset register among its ports.
pub(crate) fn add_config_ports(parts: &Parts, root: &Arc<PciRoot>) -> Result<()> {
    let config = ConfigPorts::new(root.clone(), parts.control.clone());
    add(parts, "the PCI configuration ports", ConfigPorts::SPAN, config)
}

fn add(parts: &Parts, what: &str, span: Span, device: impl BusDevice + 'static) -> Result<()> {
    let device: SharedDevice = Arc::new(Mutex::new(device));
    parts.buses.ports.insert(span, device).with_context(|| format!("place {what}"))
}

/// Loads the kernel and sets the boot processor to its start.
pub(crate) fn boot(
    parts: &Parts,
    config: &Config,
    plan: &Plan,
    layout: &Layout,
    vcpus: &[Vcpu],
    mut boot: BootFiles,
) -> Result<()> {
    let acpi = AcpiShape {
        cpus: config.cpus.into(),
        pci: layout.pci(),
        viommu: files::viommu_shape(plan),
        pit: true,
    };
    let boot = Boot { files: boot.borrow(&config.params), acpi: &acpi };
    let entry = arch::x86_64::load(&parts.ram.mem, layout, boot)?;
    let first = vcpus.first().context("a machine without processors")?;
    first.enter_long_mode(&LongModeEntry {
        rip: entry.rip,
        rsi: entry.rsi,
        rsp: entry.rsp,
        cr3: entry.cr3,
        gdt_base: entry.gdt_base,
        gdt_limit: entry.gdt_limit,
        idt_base: 0,
        idt_limit: 0,
    })?;
    Ok(())
}

/// A range known when the program was written.
const fn fixed(start: u64, last: u64) -> Span {
    match Span::new(start, last) {
        Some(span) => span,
        None => Span::ALL,
    }
}
