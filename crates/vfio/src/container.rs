//! A type 1 (v2) container: one IOMMU context, and the mappings in it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::OnceLock;

use base::{CallId, fault_point};
use data_model::Span;
use vfio_bindings::bindings::vfio::{
    VFIO_API_VERSION, VFIO_DMA_MAP_FLAG_READ, VFIO_DMA_MAP_FLAG_WRITE, VFIO_DMA_UNMAP_FLAG_ALL,
    VFIO_TYPE1v2_IOMMU, VFIO_UNMAP_ALL, vfio_iommu_type1_dma_map,
};

use crate::ioctl::{self, Argument};
use crate::{InfoError, Type1Info, VfioError};

/// The node that makes containers.
const NODE: &str = "/dev/vfio/vfio";

/// What a device may do through a mapping. At least one of the two must be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DmaPerm {
    /// The device may read memory.
    pub read: bool,
    /// The device may write memory.
    pub write: bool,
}

impl DmaPerm {
    /// Reading alone.
    pub const READ: DmaPerm = DmaPerm { read: true, write: false };
    /// Writing alone.
    pub const WRITE: DmaPerm = DmaPerm { read: false, write: true };
    /// Both.
    pub const READ_WRITE: DmaPerm = DmaPerm { read: true, write: true };

    pub(crate) fn flags(self) -> u32 {
        let read = if self.read { VFIO_DMA_MAP_FLAG_READ } else { 0 };
        let write = if self.write { VFIO_DMA_MAP_FLAG_WRITE } else { 0 };
        read | write
    }
}

/// `struct vfio_iommu_type1_dma_unmap` without the dirty bitmap, which we never ask for.
#[repr(C)]
pub(crate) struct Unmap {
    pub argsz: u32,
    pub flags: u32,
    pub iova: u64,
    pub size: u64,
}

// SAFETY: plain repr(C) data in the kernel's layout, passed to VFIO_IOMMU_UNMAP_DMA alone.
unsafe impl Argument for Unmap {}
// SAFETY: the kernel's own structure, passed to VFIO_IOMMU_MAP_DMA alone.
unsafe impl Argument for vfio_iommu_type1_dma_map {}

/// A container. Its mappings live until they are unmapped or its last group leaves.
#[derive(Debug)]
pub struct Container {
    file: File,
    unmap_all: OnceLock<bool>,
}

impl Container {
    /// Opens a new container and checks that the kernel can drive it as type 1 v2.
    ///
    /// # Errors
    /// The node cannot be opened, or the kernel speaks another version or has no type 1 v2.
    pub fn open() -> Result<Container, VfioError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(NODE)
            .map_err(|source| VfioError::Container { path: NODE.into(), source })?;
        let container = Container { file, unmap_all: OnceLock::new() };
        let failed = |source| VfioError::Container { path: NODE.into(), source };
        let found = ioctl::plain(&container.file, ioctl::VFIO_GET_API_VERSION()).map_err(failed)? as u32;
        if found != VFIO_API_VERSION {
            return Err(VfioError::ApiVersion { found });
        }
        if !container.has_extension(VFIO_TYPE1v2_IOMMU).map_err(failed)? {
            return Err(VfioError::NoType1v2);
        }
        Ok(container)
    }

    /// Takes over a container opened elsewhere, as a process gets it over a socket.
    pub fn from_fd(fd: OwnedFd) -> Container {
        Container { file: File::from(fd), unmap_all: OnceLock::new() }
    }

    /// Chooses the type 1 v2 driver. At least one group must have been attached before.
    ///
    /// # Errors
    /// EPERM: the host cannot keep the group's interrupts apart; others as the driver says.
    pub fn set_iommu_type1v2(&self) -> Result<(), VfioError> {
        ioctl::with_value(&self.file, ioctl::VFIO_SET_IOMMU(), VFIO_TYPE1v2_IOMMU)
            .map_err(|source| VfioError::SetIommu { source })?;
        Ok(())
    }

    /// The facts of the container as of now; they change with each group that comes or goes.
    ///
    /// # Errors
    /// The call failed, or its answer cannot be read.
    pub fn info(&self) -> Result<Type1Info, InfoError> {
        Type1Info::parse(&ioctl::query(&self.file, ioctl::VFIO_IOMMU_GET_INFO(), &[0, 0])?)
    }

    /// Lets the devices of this container reach the memory at host virtual address `hva` under `iova`.
    ///
    /// # Safety
    /// The `iova.len()` bytes at `hva` stay mapped in this process, and are memory that devices may access as `perm`
    /// says, until the range is unmapped from the container or the container is gone.
    ///
    /// # Errors
    /// EEXIST: overlaps a mapping; EINVAL: not aligned, or touches a reserved range; ENOSPC: too many mappings;
    /// ENOMEM: RLIMIT_MEMLOCK; EFAULT: no such memory; EOVERFLOW: leaves the address space. Nothing is mapped then.
    pub unsafe fn map_dma(&self, iova: Span, hva: u64, perm: DmaPerm) -> io::Result<()> {
        fault_point(CallId::Type1Map)?;
        let map = vfio_iommu_type1_dma_map {
            argsz: size_of::<vfio_iommu_type1_dma_map>() as u32,
            flags: perm.flags(),
            vaddr: hva,
            iova: iova.start(),
            size: iova.len().ok_or_else(|| io::Error::from_raw_os_error(libc::EOVERFLOW))?,
        };
        ioctl::with_ref(&self.file, ioctl::VFIO_IOMMU_MAP_DMA(), &map)?;
        Ok(())
    }

    /// Takes every mapping inside `iova` away; the bytes that were mapped. An empty range is a success with 0 bytes.
    ///
    /// A success alone says little: kernels before 6.18 find nothing in a range that ends at 2^64 - 1. Compare the bytes.
    ///
    /// # Errors
    /// EINVAL: not aligned, or the first or last byte lies inside a mapping. Nothing is unmapped then.
    pub fn unmap_dma(&self, iova: Span) -> io::Result<u64> {
        fault_point(CallId::Type1Unmap)?;
        match iova.len() {
            Some(size) => self.unmap(iova.start(), size, 0),
            None => self.unmap_everything(),
        }
    }

    /// Takes all mappings away; the bytes that were mapped. A mapping that ends at 2^64 - 1 may stay, on kernels before 6.18,
    /// whether it is counted or not.
    ///
    /// # Errors
    /// As the kernel says. On a kernel without VFIO_UNMAP_ALL part of it may have been done.
    pub fn unmap_all(&self) -> io::Result<u64> {
        fault_point(CallId::Type1UnmapAll)?;
        self.unmap_everything()
    }

    /// Whether the kernel has an extension (`VFIO_*`), such as 4, `VFIO_DMA_CC_IOMMU`: all DMA is coherent.
    ///
    /// # Errors
    /// The descriptor is not a container.
    pub fn has_extension(&self, extension: u32) -> io::Result<bool> {
        Ok(ioctl::with_value(&self.file, ioctl::VFIO_CHECK_EXTENSION(), extension)? > 0)
    }

    /// Asks now what [`Container::unmap_all`] would ask the first time, so that a jailed process need not.
    ///
    /// # Errors
    /// The descriptor is not a container.
    pub fn prepare(&self) -> io::Result<()> {
        self.can_unmap_all().map(drop)
    }

    fn can_unmap_all(&self) -> io::Result<bool> {
        if let Some(supported) = self.unmap_all.get() {
            return Ok(*supported);
        }
        let supported = self.has_extension(VFIO_UNMAP_ALL)?;
        Ok(*self.unmap_all.get_or_init(|| supported))
    }

    fn unmap_everything(&self) -> io::Result<u64> {
        if self.can_unmap_all()? {
            return self.unmap(0, 0, VFIO_DMA_UNMAP_FLAG_ALL);
        }
        let granule = self.info().map_err(io::Error::other)?.page_sizes.granule();
        halves(granule)
            .into_iter()
            .try_fold(0_u64, |bytes, (iova, size)| Ok(bytes.saturating_add(self.unmap(iova, size, 0)?)))
    }

    fn unmap(&self, iova: u64, size: u64, flags: u32) -> io::Result<u64> {
        let mut unmap = Unmap { argsz: size_of::<Unmap>() as u32, flags, iova, size };
        ioctl::with_mut(&self.file, ioctl::VFIO_IOMMU_UNMAP_DMA(), &mut unmap)?;
        Ok(unmap.size)
    }
}

/// All of the address space as two ranges, but for its last granule: its size does not fit into one, and in a range that ends
/// where the address space does these kernels find nothing at all.
fn halves(granule: u64) -> [(u64, u64); 2] {
    const HALF: u64 = 1 << 63;
    [(0, HALF), (HALF, HALF - granule)]
}

impl AsFd for Container {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl AsRawFd for Container {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl From<Container> for OwnedFd {
    fn from(container: Container) -> OwnedFd {
        container.file.into()
    }
}

#[cfg(test)]
mod tests;
