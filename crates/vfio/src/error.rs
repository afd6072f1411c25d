//! What can go wrong while VFIO is set up, with the numbers a user needs to act on it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A step of opening container, group or device that failed.
#[derive(Debug, Error)]
pub enum VfioError {
    /// The container node cannot be opened.
    #[error(
        "cannot open {path}: {source}. Load the module with `modprobe vfio-pci`, and let this user open the node"
    )]
    Container {
        /// The node.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The kernel speaks another version of the interface.
    #[error("the kernel's VFIO interface has version {found}, this program speaks 0")]
    ApiVersion {
        /// The kernel's version.
        found: u32,
    },
    /// The container cannot be driven by type 1 v2.
    #[error(
        "the kernel has no VFIO type 1 (v2) IOMMU driver: load the module with `modprobe vfio_iommu_type1`"
    )]
    NoType1v2,
    /// The IOMMU driver did not take the container.
    #[error("cannot set the IOMMU driver of the VFIO container: {source}{}", hint_set_iommu(.source))]
    SetIommu {
        /// The kernel's answer.
        source: io::Error,
    },
    /// The container's facts cannot be read.
    #[error("cannot read the facts of the VFIO container: {0}")]
    Info(#[from] InfoError),
    /// There is no such group node.
    #[error(
        "IOMMU group {group} has no node /dev/vfio/{group}: bind every device of the group to vfio-pci, and make sure \
         that the IOMMU is on (x86: intel_iommu=on or amd_iommu=on)"
    )]
    GroupAbsent {
        /// Group number.
        group: u32,
    },
    /// Somebody else has the group open.
    #[error("IOMMU group {group} is in use by another program (EBUSY)")]
    GroupBusy {
        /// Group number.
        group: u32,
    },
    /// This user may not open the group.
    #[error(
        "not allowed to open /dev/vfio/{group}: {source}. Give this user the node, for example with a udev rule"
    )]
    GroupDenied {
        /// Group number.
        group: u32,
        /// The kernel's answer: EPERM or EACCES.
        source: io::Error,
    },
    /// A device of the group is still bound to a driver of the host.
    #[error(
        "IOMMU group {group} is not viable: a device of it still belongs to a driver of the host. Bind all of \
         /sys/kernel/iommu_groups/{group}/devices/ to vfio-pci"
    )]
    GroupNotViable {
        /// Group number.
        group: u32,
    },
    /// Another failure of the group.
    #[error("cannot {step} IOMMU group {group}: {source}{}", hint_group(.source))]
    Group {
        /// Group number.
        group: u32,
        /// What was being done.
        step: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A step of a device failed.
    #[error("cannot {step} of device {name}: {source}")]
    Device {
        /// The device's name in sysfs, for PCI its address.
        name: String,
        /// What was being done.
        step: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The device is of another kind.
    #[error("device {name} is not a PCI device (VFIO device flags {flags:#x})")]
    NotPci {
        /// The device's name in sysfs.
        name: String,
        /// VFIO_DEVICE_FLAGS_*.
        flags: u32,
    },
}

/// A structure from the kernel that cannot be read.
#[derive(Debug, Error)]
pub enum InfoError {
    /// The call failed.
    #[error("{0}")]
    Call(#[from] io::Error),
    /// The answer ends before a field.
    #[error("the kernel's answer of {len} bytes ends before offset {offset:#x} of a field")]
    Short {
        /// Bytes answered.
        len: usize,
        /// Where the field starts.
        offset: usize,
    },
    /// The chain of capabilities does not end.
    #[error("the kernel's capability chain does not end")]
    Endless,
    /// A range ends before it starts.
    #[error("the kernel names a range from {start:#x} to {last:#x}")]
    Reversed {
        /// First address.
        start: u64,
        /// Last address.
        last: u64,
    },
    /// No page size at all.
    #[error("the kernel names no page size of the IOMMU")]
    NoPageSize,
}

fn hint_set_iommu(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM) => {
            ". The host cannot keep this device's interrupts apart (no interrupt remapping): see \
             vfio_iommu_type1.allow_unsafe_interrupts"
        }
        _ => "",
    }
}

fn hint_group(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM) => {
            ". The host cannot keep its interrupts apart, or the group belongs to another owner"
        }
        Some(libc::EINVAL) => ". The firmware may have reserved memory for a device of it (RMRR)",
        Some(libc::EBUSY) => ". A driver of the host still uses its IOMMU domain",
        _ => "",
    }
}
