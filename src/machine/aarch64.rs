//! The Arm board: interrupt controller, serial port, the boot processor.

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::{Context, Result};
use arch::aarch64::{Boot, Gic, MsiFrame, Seeds, irqs};
use data_model::Span;
use devices::bus::SharedDevice;
use devices::irq::MsiMessage;
use devices::pci::PciRoot;
use devices::platform::{Clock, IrqEdge, SerialInput, SerialPort, V2mFrame};
use hypervisor::{GicConfig, GicLayout, MsiGsi, Vcpu, VmConfig};
use rustix::rand::{GetRandomFlags, getrandom};
use sync::Mutex;

use super::adapters::KvmLine;
use super::{BootFiles, Parts, files};
use crate::config::Config;
use crate::plan::Plan;

pub use arch::aarch64::Layout;

/// There is no port space.
pub(crate) const PORTS: Option<Span> = None;
/// Interrupt messages are writes to memory, and a virtual IOMMU may translate them.
pub(crate) const MSI_TRANSLATES: bool = true;

/// How messages become interrupts.
#[derive(Clone, Copy)]
pub(crate) enum MsiDoorbell {
    /// Writes to this address go to the interrupt translation service, which KVM emulates.
    Its(u64),
    /// Writes to this address name a shared interrupt: a GICv2m frame, which is ours.
    V2m(u64),
}

impl MsiDoorbell {
    /// Routes `gsi` as `message` says; refused when it is not for this doorbell.
    pub fn route(self, gsi: &MsiGsi, message: MsiMessage) -> io::Result<()> {
        match self {
            MsiDoorbell::Its(doorbell) if message.address == doorbell => {
                Ok(gsi.route(message.address, message.data)?)
            }
            MsiDoorbell::V2m(doorbell) if message.address == doorbell => {
                let spi = message.data.checked_sub(irqs::SPI_BASE);
                let ours =
                    spi.filter(|spi| (irqs::V2M_SPI..irqs::V2M_SPI + irqs::V2M_SPI_COUNT).contains(spi));
                Ok(gsi.route_spi(ours.ok_or(io::ErrorKind::InvalidInput)?)?)
            }
            _ => Err(io::ErrorKind::AddrNotAvailable.into()),
        }
    }
}

/// The machine's doorbell.
pub(crate) fn msi_doorbell(layout: &Layout) -> MsiDoorbell {
    let frame = layout.gic().msi();
    let doorbell = frame.doorbell().unwrap_or(u64::MAX);
    match frame {
        MsiFrame::Its { .. } => MsiDoorbell::Its(doorbell),
        MsiFrame::V2m { .. } => MsiDoorbell::V2m(doorbell),
    }
}

/// The address map of a guest; `bits` is the width of its physical addresses.
///
/// # Errors
/// More RAM or processors than the machine can have.
pub fn layout(config: &Config, plan: &Plan, bits: u32) -> Result<Layout> {
    let gic = plan.gic.unwrap_or(Gic::V3_ITS);
    Ok(Layout::new(config.assignment.memory, config.cpus.into(), bits, gic, &plan.bar_room)?)
}

/// Where devices write messages, where that is memory: the whole pages that a guest may map it with.
pub(crate) fn doorbell_page(layout: &Layout) -> Option<Span> {
    Some(layout.gic().msi().doorbell_page().ok()?.align_outwards(LARGEST_PAGE))
}

/// What KVM is to make.
pub(crate) fn vm_config(config: &Config, layout: &Layout) -> VmConfig {
    let (dist, per_cpu) = (layout.gic_distributor().start(), layout.gic_per_cpu().start());
    let gic = match layout.gic() {
        Gic::V2 { .. } => GicLayout::V2 { dist, cpu: per_cpu },
        Gic::V3 { msi: MsiFrame::Its { base } } => GicLayout::V3 { dist, redist: per_cpu, its: Some(base) },
        Gic::V3 { msi: MsiFrame::V2m { .. } } => GicLayout::V3 { dist, redist: per_cpu, its: None },
    };
    VmConfig { vcpus: config.cpus.into(), gic: GicConfig { layout: gic, irqs: irqs::GIC_IRQS } }
}

/// The line of pin A of a root-bus device.
pub(crate) fn intx_gsi(device: u8) -> u32 {
    irqs::pci_intx_spi(device, 0)
}

/// The device tree says all; the registers say nothing.
pub(crate) fn interrupt_lines() -> Option<[u8; 4]> {
    None
}

/// Pages of 64 KiB, the largest that a guest may map a doorbell with.
const LARGEST_PAGE: u64 = 0x1_0000;

/// The serial port, the clock, and what takes interrupt messages. Returns the way in for what is typed.
pub(crate) fn add_devices(
    parts: &Parts,
    layout: &Layout,
    output: Box<dyn Write + Send>,
) -> Result<SerialInput> {
    let line = parts.vm.irqs().line(irqs::UART_SPI)?;
    let serial = SerialPort::new(Arc::new(KvmLine(line)), output);
    let input = serial.input();
    let device: SharedDevice = Arc::new(Mutex::new(serial));
    let place =
        Span::from_len(layout.uart().start(), SerialPort::LEN).context("a serial port without registers")?;
    parts.buses.memory.insert(place, device).context("place the serial port")?;
    let clock: SharedDevice = Arc::new(Mutex::new(Clock::new()));
    parts.buses.memory.insert(layout.clock(), clock).context("place the clock")?;
    add_doorbell(parts, layout.gic().msi())?;
    Ok(input)
}

/// The registers of a frame that is ours.
fn add_doorbell(parts: &Parts, frame: MsiFrame) -> Result<()> {
    let page = frame.doorbell_page()?;
    if let MsiFrame::V2m { .. } = frame {
        let spis = irqs::V2M_SPI..irqs::V2M_SPI + irqs::V2M_SPI_COUNT;
        let line = |spi| Ok(Arc::new(KvmLine(parts.vm.irqs().line(spi)?)) as Arc<dyn IrqEdge>);
        let lines = spis.map(line).collect::<Result<Vec<_>>>()?;
        let device: SharedDevice = Arc::new(Mutex::new(V2mFrame::new(irqs::SPI_BASE + irqs::V2M_SPI, lines)));
        parts.buses.memory.insert(page, device).context("place the GICv2m frame")?;
    }
    Ok(())
}

/// No ports, no port access.
pub(crate) fn add_config_ports(_parts: &Parts, _root: &Arc<PciRoot>) -> Result<()> {
    Ok(())
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
    let mpidrs = vcpus.iter().map(Vcpu::mpidr).collect::<Result<Vec<_>, _>>()?;
    let viommu = files::viommu_shape(plan);
    let seeds = Some(seeds().context("take random bytes for the guest's start")?);
    let files = boot.borrow(&config.params);
    let shape = Boot { files, mpidrs: &mpidrs, viommu: viommu.as_ref(), seeds };
    let entry = arch::aarch64::load(&parts.ram.mem, layout, shape)?;
    let first = vcpus.first().context("a machine without processors")?;
    first.enter_kernel(entry.pc, entry.dtb)?;
    Ok(())
}

/// New ones for each start. Without them kernels run at the addresses that they were built for, and wait for randomness.
fn seeds() -> io::Result<Seeds> {
    let (mut kaslr, mut rng) = ([0; 8], [0; 64]);
    fill_random(&mut kaslr)?;
    fill_random(&mut rng)?;
    Ok(Seeds { kaslr: u64::from_ne_bytes(kaslr), rng })
}

fn fill_random(bytes: &mut [u8]) -> io::Result<()> {
    // The kernel gives up to 256 bytes whole once it has any, and until then waits.
    let filled = getrandom(&mut *bytes, GetRandomFlags::empty())?;
    if filled == bytes.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
