//! An IOMMU group of the host: the smallest set of devices that the IOMMU can tell from the others.
//!
//! The kernel frees the group from its container when the last descriptor of group and devices is closed; a group cannot
//! change its container while a device of it is open.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use vfio_bindings::bindings::vfio::{VFIO_GROUP_FLAGS_VIABLE, vfio_group_status};
use vmm_sys_util::ioctl::{ioctl_with_ptr, ioctl_with_ref};

use crate::ioctl::{self, Argument, check};
use crate::{Container, Device, VfioError};

// SAFETY: the kernel's own structure, passed to VFIO_GROUP_GET_STATUS alone.
unsafe impl Argument for vfio_group_status {}

/// An open group.
#[derive(Debug)]
pub struct Group {
    number: u32,
    file: File,
}

impl Group {
    /// Opens `/dev/vfio/<number>` and makes sure that no driver of the host has a device of the group.
    ///
    /// # Errors
    /// Absent, busy, denied, or not viable; each says what to do.
    pub fn open(number: u32) -> Result<Group, VfioError> {
        let path = format!("/dev/vfio/{number}");
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(|e| open_error(number, e))?;
        let group = Group { number, file };
        if !group.is_viable()? {
            return Err(VfioError::GroupNotViable { group: number });
        }
        Ok(group)
    }

    /// Takes over a group opened elsewhere.
    pub fn from_fd(number: u32, fd: OwnedFd) -> Group {
        Group { number, file: File::from(fd) }
    }

    /// The group's number on the host.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Whether all devices of the group are free of host drivers, so that it may be used.
    ///
    /// # Errors
    /// The descriptor is not a group.
    pub fn is_viable(&self) -> Result<bool, VfioError> {
        let mut status = vfio_group_status { argsz: size_of::<vfio_group_status>() as u32, flags: 0 };
        ioctl::with_mut(&self.file, ioctl::VFIO_GROUP_GET_STATUS(), &mut status)
            .map_err(|e| self.failed("read the status of", e))?;
        Ok(status.flags & VFIO_GROUP_FLAGS_VIABLE != 0)
    }

    /// Puts the group into `container`, where its devices reach what is mapped there, and nothing else.
    ///
    /// # Errors
    /// EBUSY: another user of its IOMMU domain; EINVAL: already in a container, or firmware-reserved memory; EPERM.
    pub fn attach(&self, container: &Container) -> Result<(), VfioError> {
        let fd = container.as_raw_fd();
        // SAFETY: the kernel reads one int, the descriptor of the container.
        let result = unsafe { ioctl_with_ref(&self.file, ioctl::VFIO_GROUP_SET_CONTAINER(), &fd) };
        check(result).map_err(|e| self.failed("put into a container", e))?;
        Ok(())
    }

    /// Takes the group out of its container; its devices reach nothing then.
    ///
    /// # Errors
    /// EBUSY while a device of the group is open.
    pub fn detach(&self) -> Result<(), VfioError> {
        ioctl::plain(&self.file, ioctl::VFIO_GROUP_UNSET_CONTAINER())
            .map_err(|e| self.failed("take out of its container", e))?;
        Ok(())
    }

    /// Opens the device with this name (for PCI `0000:01:00.0`). The container's IOMMU must have been set.
    ///
    /// # Errors
    /// ENODEV: no such device in the group; EINVAL: the container has no IOMMU; or it is not a PCI device.
    pub fn device(&self, name: &str) -> Result<Device, VfioError> {
        Device::from_fd(name, self.device_fd(name)?)
    }

    /// Opens the descriptor of the device alone, to hand it to another process.
    ///
    /// # Errors
    /// As [`Group::device`].
    pub fn device_fd(&self, name: &str) -> Result<OwnedFd, VfioError> {
        let failed =
            |source| VfioError::Device { name: name.into(), step: "open the VFIO descriptor", source };
        let text = CString::new(name).map_err(|_| failed(io::ErrorKind::InvalidInput.into()))?;
        // SAFETY: the kernel reads a string that ends in a zero byte.
        let result = unsafe { ioctl_with_ptr(&self.file, ioctl::VFIO_GROUP_GET_DEVICE_FD(), text.as_ptr()) };
        let fd = check(result).map_err(failed)?;
        // SAFETY: the kernel has just made this descriptor for us; nobody else knows it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    fn failed(&self, step: &'static str, source: io::Error) -> VfioError {
        VfioError::Group { group: self.number, step, source }
    }
}

/// What a failed open of the node means.
fn open_error(group: u32, source: io::Error) -> VfioError {
    match source.raw_os_error() {
        Some(libc::ENOENT) => VfioError::GroupAbsent { group },
        Some(libc::EBUSY) => VfioError::GroupBusy { group },
        Some(libc::EPERM | libc::EACCES) => VfioError::GroupDenied { group, source },
        _ => VfioError::Group { group, step: "open", source },
    }
}

impl AsFd for Group {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl AsRawFd for Group {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

#[cfg(test)]
mod tests;
