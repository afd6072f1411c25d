//! Why a guest's first bytes could not be put into its memory.

use std::io;

use thiserror::Error;

use crate::aarch64::FdtError;
use crate::x86_64::AcpiError;

/// Why a guest cannot be made ready to boot.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The kernel file could not be read.
    #[error("cannot read the kernel: {0}")]
    KernelUnreadable(#[source] io::Error),
    /// The file is no kernel for this architecture.
    #[error("the kernel file is {found}; this machine boots {known}")]
    NotAKernel {
        /// What the file looks like.
        found: &'static str,
        /// The formats that are known.
        known: &'static str,
    },
    /// The file looks like a kernel, but cannot be booted.
    #[error("the kernel cannot be loaded: {0}")]
    KernelRefused(String),
    /// The kernel needs more RAM than there is.
    #[error(
        "the kernel needs {need} bytes of RAM from its start on, the guest has {room} there; give it more RAM"
    )]
    KernelTooBig {
        /// Bytes it needs.
        need: u64,
        /// Bytes there are.
        room: u64,
    },
    /// The initrd file could not be read.
    #[error("cannot read the initial RAM disk: {0}")]
    InitrdUnreadable(#[source] io::Error),
    /// The initrd does not fit beside the kernel.
    #[error(
        "the initial RAM disk of {size} bytes does not fit: beside the kernel there are {room}; give the guest more RAM"
    )]
    InitrdTooBig {
        /// Its size in bytes.
        size: u64,
        /// Bytes between the kernel and the end of the RAM it may lie in.
        room: u64,
    },
    /// The command line is longer than the kernel reads.
    #[error("the kernel command line has {len} bytes, this kernel reads at most {limit}")]
    CmdlineTooLong {
        /// Its length in bytes, without the terminating zero.
        len: usize,
        /// The most there can be.
        limit: usize,
    },
    /// The command line has a zero byte in it.
    #[error("the kernel command line contains a zero byte, where the kernel would stop reading")]
    CmdlineZero,
    /// Guest memory does not have what the layout says.
    #[error("cannot write {what} to guest memory at {address:#x}: {reason}")]
    Write {
        /// What was written.
        what: &'static str,
        /// Guest-physical address.
        address: u64,
        /// What the memory said.
        reason: String,
    },
    /// The ACPI tables could not be made.
    #[error(transparent)]
    Acpi(#[from] AcpiError),
    /// The device tree could not be made.
    #[error(transparent)]
    Fdt(#[from] FdtError),
}
