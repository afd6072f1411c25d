//! An open device: regions, interrupts, reset.
//!
//! Invariant: the kernel is only asked for regions and vectors that it has named itself.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;

use base::{CallId, MappedRegion, fault_point};
use data_model::Span;
use vfio_bindings::bindings::vfio::{
    VFIO_DEVICE_FLAGS_PCI, VFIO_DEVICE_FLAGS_RESET, VFIO_PCI_CONFIG_REGION_INDEX, vfio_device_info,
    vfio_irq_info,
};
use vmm_sys_util::ioctl::ioctl_with_ptr;

use crate::ioctl::{self, Argument, check};
use crate::irq::encode;
use crate::{AssignedDevice, InfoError, IrqAction, IrqInfo, PciIrq, PciRegion, RegionInfo, VfioError};

// SAFETY: the kernel's own structure, passed to VFIO_DEVICE_GET_INFO alone.
unsafe impl Argument for vfio_device_info {}
// SAFETY: the kernel's own structure, passed to VFIO_DEVICE_GET_IRQ_INFO alone.
unsafe impl Argument for vfio_irq_info {}

/// An assigned PCI device. Its facts are read once, when it is opened.
#[derive(Debug)]
pub struct Device {
    name: String,
    file: File,
    resettable: bool,
    regions: Vec<RegionInfo>,
    /// In the order of [`PciIrq::ALL`], which is the kernel's.
    irqs: [IrqInfo; PciIrq::ALL.len()],
}

impl Device {
    /// Takes over a device descriptor and reads the facts of the device; `name` is for messages.
    ///
    /// # Errors
    /// A call fails, an answer cannot be read, or it is not a PCI device.
    pub fn from_fd(name: &str, fd: OwnedFd) -> Result<Device, VfioError> {
        let file = File::from(fd);
        let failed = |step, source| VfioError::Device { name: name.into(), step, source };
        let mut info = vfio_device_info { argsz: size_of::<vfio_device_info>() as u32, ..Default::default() };
        ioctl::with_mut(&file, ioctl::VFIO_DEVICE_GET_INFO(), &mut info)
            .map_err(|e| failed("read the facts", e))?;
        if info.flags & VFIO_DEVICE_FLAGS_PCI == 0 {
            return Err(VfioError::NotPci { name: name.into(), flags: info.flags });
        }
        let mut regions = Vec::new();
        for index in 0..info.num_regions.min(VFIO_PCI_CONFIG_REGION_INDEX + 1) {
            regions.push(region_info(&file, index)?);
        }
        let mut irqs = [IrqInfo::default(); PciIrq::ALL.len()];
        for irq in PciIrq::ALL.into_iter().filter(|irq| irq.index() < info.num_irqs) {
            let found = irq_info(&file, irq).map_err(|e| failed("read the interrupts", e))?;
            irqs[irq.index() as usize] = found;
        }
        let resettable = info.flags & VFIO_DEVICE_FLAGS_RESET != 0;
        Ok(Device { name: name.into(), file, resettable, regions, irqs })
    }

    /// Whether [`AssignedDevice::reset`] can work.
    pub fn is_resettable(&self) -> bool {
        self.resettable
    }

    fn known(&self, region: PciRegion) -> Option<&RegionInfo> {
        self.regions.get(region.index()? as usize)
    }

    fn place(&self, region: PciRegion, offset: u64, len: usize) -> io::Result<u64> {
        let place = self.known(region).and_then(|info| info.place(offset, len));
        place.ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))
    }
}

fn region_info(file: &File, index: u32) -> Result<RegionInfo, VfioError> {
    match ioctl::query(file, ioctl::VFIO_DEVICE_GET_REGION_INFO(), &[0, 0, index, 0]) {
        Ok(bytes) => Ok(RegionInfo::parse(&bytes)?),
        // An index that this device does not have.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(RegionInfo::default()),
        Err(error) => Err(InfoError::Call(error).into()),
    }
}

fn irq_info(file: &File, irq: PciIrq) -> io::Result<IrqInfo> {
    let argsz = size_of::<vfio_irq_info>() as u32;
    let mut info = vfio_irq_info { argsz, index: irq.index(), ..Default::default() };
    match ioctl::with_mut(file, ioctl::VFIO_DEVICE_GET_IRQ_INFO(), &mut info) {
        Ok(_) => Ok(IrqInfo::new(info.flags, info.count)),
        // A kind that this device does not have.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(IrqInfo::default()),
        Err(error) => Err(error),
    }
}

impl AssignedDevice for Device {
    fn name(&self) -> &str {
        &self.name
    }

    fn region(&self, region: PciRegion) -> RegionInfo {
        self.known(region).cloned().unwrap_or_default()
    }

    fn irq(&self, irq: PciIrq) -> IrqInfo {
        self.irqs[irq.index() as usize]
    }

    fn read(&self, region: PciRegion, offset: u64, data: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(data, self.place(region, offset, data.len())?)
    }

    fn write(&self, region: PciRegion, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, self.place(region, offset, data.len())?)
    }

    fn map(&self, region: PciRegion, area: Span) -> io::Result<MappedRegion> {
        let refused = || io::Error::from_raw_os_error(libc::EINVAL);
        let info = self.known(region).ok_or_else(refused)?;
        if !info.mappable.iter().any(|mappable| mappable.covers(&area)) {
            return Err(refused());
        }
        let len = area.len().and_then(|len| usize::try_from(len).ok()).ok_or_else(refused)?;
        let place = info.place(area.start(), len).ok_or_else(refused)?;
        MappedRegion::new(&self.file, place, len, info.writable)
    }

    fn reset(&self) -> io::Result<()> {
        fault_point(CallId::DeviceReset)?;
        if !self.resettable {
            return Err(io::ErrorKind::Unsupported.into());
        }
        ioctl::plain(&self.file, ioctl::VFIO_DEVICE_RESET())?;
        Ok(())
    }

    fn set_irqs(&self, irq: PciIrq, action: IrqAction<'_>) -> io::Result<()> {
        if let IrqAction::Trigger { start, events } = action
            && u64::from(start) + events.len() as u64 > u64::from(self.irq(irq).count)
        {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let words = encode(irq, action);
        // SAFETY: the words are `struct vfio_irq_set`; the first says how many bytes the kernel may read.
        let result = unsafe { ioctl_with_ptr(&self.file, ioctl::VFIO_DEVICE_SET_IRQS(), words.as_ptr()) };
        match check(result)? {
            0 => Ok(()),
            // The kernel could have allocated this many vectors, and has allocated none.
            _fewer => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
        }
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl AsRawFd for Device {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

#[cfg(test)]
mod tests;
