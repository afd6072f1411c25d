//! What the PCI logic needs of an assigned device, so that it can be tested without one.

use std::io;

use base::MappedRegion;
use data_model::Span;
use vfio_bindings::bindings::vfio::{VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_ROM_REGION_INDEX};

use crate::{IrqAction, IrqInfo, PciIrq, RegionInfo};

/// A region of a PCI device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PciRegion {
    /// A BAR, 0 to 5. The upper half of a 64-bit BAR is an empty region.
    Bar(u8),
    /// The expansion ROM.
    Rom,
    /// The configuration space: 256 or 4096 bytes.
    Config,
}

impl PciRegion {
    /// The kernel's index; `None` for a BAR that cannot exist.
    pub fn index(self) -> Option<u32> {
        match self {
            PciRegion::Bar(bar @ 0..=5) => Some(u32::from(bar)),
            PciRegion::Bar(_) => None,
            PciRegion::Rom => Some(VFIO_PCI_ROM_REGION_INDEX),
            PciRegion::Config => Some(VFIO_PCI_CONFIG_REGION_INDEX),
        }
    }
}

/// A PCI device of the host in our hands.
pub trait AssignedDevice: Send + Sync {
    /// Its name for messages: the address on the host.
    fn name(&self) -> &str;

    /// A region as the kernel described it when the device was opened; of size 0 when there is none.
    fn region(&self, region: PciRegion) -> RegionInfo;

    /// What there is of a kind of interrupt.
    fn irq(&self, irq: PciIrq) -> IrqInfo;

    /// Reads all of `data` at `offset` of a region.
    ///
    /// # Errors
    /// The access leaves the region, the kernel refuses it (decoding is off), or the device is gone.
    fn read(&self, region: PciRegion, offset: u64, data: &mut [u8]) -> io::Result<()>;

    /// Writes all of `data` at `offset` of a region.
    ///
    /// # Errors
    /// As [`AssignedDevice::read`].
    fn write(&self, region: PciRegion, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Maps the bytes `area` of a region, readable and writable as the region is.
    ///
    /// # Errors
    /// The area is not page-aligned, or not one that the kernel lets be mapped.
    fn map(&self, region: PciRegion, area: Span) -> io::Result<MappedRegion>;

    /// Resets the function.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] when the device has no way to be reset alone; others as the kernel says.
    fn reset(&self) -> io::Result<()>;

    /// Changes how interrupts are signalled.
    ///
    /// # Errors
    /// The vectors do not exist, or as the kernel says.
    fn set_irqs(&self, irq: PciIrq, action: IrqAction<'_>) -> io::Result<()>;
}
