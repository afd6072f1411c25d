//! The device tree.

use data_model::Span;
use thiserror::Error;
use vm_fdt::FdtWriter;

use super::Layout;
use super::irqs::UART_SPI;
use crate::{TopologyError, ViommuShape};

mod clock;
mod cpus;
mod interrupts;
mod pci;

/// Input clock of the serial port in Hz: 115200 baud times 16, as on a PC.
pub const UART_CLOCK: u32 = 1_843_200;
/// The most a kernel maps of a device tree, in bytes.
const MOST: usize = 2 << 20;

const GIC_PHANDLE: u32 = 1;
const MSI_PHANDLE: u32 = 2;
const VIOMMU_PHANDLE: u32 = 3;
const BUS_CLOCK_PHANDLE: u32 = 4;
const SPI: u32 = 0;
const PPI: u32 = 1;
const EDGE: u32 = 1;
const LEVEL_HIGH: u32 = 4;

/// What the device tree describes.
#[derive(Clone, Copy, Debug)]
pub struct FdtShape<'a> {
    /// Where everything is.
    pub layout: &'a Layout,
    /// The affinity number (MPIDR) of each processor; the first one boots.
    pub mpidrs: &'a [u64],
    /// The virtual IOMMU, where there is one.
    pub viommu: Option<&'a ViommuShape>,
    /// The kernel command line.
    pub cmdline: &'a str,
    /// Where the initial RAM disk lies.
    pub initrd: Option<Span>,
    /// Random bytes to start with.
    pub seeds: Option<Seeds>,
}

/// Random bytes for one start of a kernel; it wipes them out of the device tree as it takes them.
#[derive(Clone, Copy, Debug)]
pub struct Seeds {
    /// Chooses the addresses that it runs at.
    pub kaslr: u64,
    /// Starts its random number generator.
    pub rng: [u8; 64],
}

/// Why there is no device tree.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum FdtError {
    /// The virtual IOMMU cannot be described.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// It is larger than a kernel maps.
    #[error(
        "the device tree has {0} bytes, a kernel reads at most {MOST}; put fewer endpoints behind the virtual IOMMU"
    )]
    TooBig(usize),
    /// The writer refused a node or a property.
    #[error("cannot write the device tree: {0}")]
    Writer(#[from] vm_fdt::Error),
}

type Written = Result<(), FdtError>;

/// The device tree of a machine of this shape, as the blob a kernel takes.
pub fn device_tree(shape: &FdtShape<'_>) -> Result<Vec<u8>, FdtError> {
    let mut fdt = FdtWriter::new()?;
    node(&mut fdt, "", |fdt| {
        fdt.property_string("compatible", "linux,dummy-virt")?;
        fdt.property_string("model", "mixvm")?;
        fdt.property_u32("#address-cells", 2)?;
        fdt.property_u32("#size-cells", 2)?;
        fdt.property_u32("interrupt-parent", GIC_PHANDLE)?;
        chosen(fdt, shape)?;
        memory(fdt, shape.layout.ram_span())?;
        cpus::write(fdt, shape.mpidrs)?;
        cpus::timer(fdt, shape.layout.gic(), shape.mpidrs.len())?;
        interrupts::write(fdt, shape.layout)?;
        serial(fdt, shape.layout.uart())?;
        clock::write(fdt, shape.layout.clock())?;
        pci::write(fdt, shape)
    })?;
    let blob = fdt.finish()?;
    if blob.len() > MOST {
        return Err(FdtError::TooBig(blob.len()));
    }
    Ok(blob)
}

/// Opens a node, lets `fill` write into it, and closes it.
fn node(fdt: &mut FdtWriter, name: &str, fill: impl FnOnce(&mut FdtWriter) -> Written) -> Written {
    let open = fdt.begin_node(name)?;
    fill(fdt)?;
    Ok(fdt.end_node(open)?)
}

/// Name and address, as nodes are called.
fn at(name: &str, address: u64) -> String {
    format!("{name}@{address:x}")
}

/// Start and length of a range: two numbers of 64 bits.
fn reg(span: Span) -> [u64; 2] {
    [span.start(), span.len().unwrap_or(u64::MAX)]
}

/// A 64-bit number as two cells, the high one first.
fn cells(number: u64) -> [u32; 2] {
    [(number >> 32) as u32, number as u32]
}

fn chosen(fdt: &mut FdtWriter, shape: &FdtShape<'_>) -> Written {
    node(fdt, "chosen", |fdt| {
        fdt.property_string("bootargs", shape.cmdline)?;
        fdt.property_string("stdout-path", &at("/serial", shape.layout.uart().start()))?;
        if let Some(initrd) = shape.initrd {
            fdt.property_u64("linux,initrd-start", initrd.start())?;
            // The end is the first address that does not belong to it; RAM never ends with the address space.
            fdt.property_u64("linux,initrd-end", initrd.next().unwrap_or(u64::MAX))?;
        }
        if let Some(seeds) = &shape.seeds {
            fdt.property_u64("kaslr-seed", seeds.kaslr)?;
            fdt.property("rng-seed", &seeds.rng)?;
        }
        Ok(())
    })
}

fn memory(fdt: &mut FdtWriter, ram: Span) -> Written {
    node(fdt, &at("memory", ram.start()), |fdt| {
        fdt.property_string("device_type", "memory")?;
        Ok(fdt.property_array_u64("reg", &reg(ram))?)
    })
}

fn serial(fdt: &mut FdtWriter, uart: Span) -> Written {
    node(fdt, &at("serial", uart.start()), |fdt| {
        fdt.property_string("compatible", "ns16550a")?;
        fdt.property_array_u64("reg", &reg(uart))?;
        fdt.property_u32("clock-frequency", UART_CLOCK)?;
        Ok(fdt.property_array_u32("interrupts", &[SPI, UART_SPI, EDGE])?)
    })
}

#[cfg(test)]
pub(super) mod tests;
