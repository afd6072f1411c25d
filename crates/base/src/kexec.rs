//! Another kernel in place of the running one, for tests inside guests: feature `kexec`, which the product does not use.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use rustix::system::{RebootCommand, reboot};

/// The system call's number; not every libc knows it on every architecture.
const KEXEC_FILE_LOAD: libc::c_long = if cfg!(target_arch = "x86_64") { 320 } else { 294 };

/// Flag: the kernel is for the reserved memory, to be started by a panic.
const ON_CRASH: libc::c_ulong = 2;

/// Reads a kernel and its root file system, to be started by [`kexec`], or when this kernel panics.
///
/// # Errors
/// This kernel has no such call, the file is no kernel for it, or this process may not.
pub fn load_kernel(
    kernel: impl AsFd,
    initrd: impl AsFd,
    command_line: &str,
    when_it_panics: bool,
) -> io::Result<()> {
    let flags = if when_it_panics { ON_CRASH } else { 0 };
    let line = CString::new(command_line)?;
    let (kernel, initrd) = (kernel.as_fd().as_raw_fd(), initrd.as_fd().as_raw_fd());
    let line = line.as_bytes_with_nul();
    // SAFETY: the descriptors are borrowed and the line lives through the call, which reads so many bytes of it; nothing of
    // this process changes.
    match unsafe { libc::syscall(KEXEC_FILE_LOAD, kernel, initrd, line.len(), line.as_ptr(), flags) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Starts the kernel that was loaded; does not come back.
///
/// # Errors
/// None was loaded, or this process may not.
pub fn kexec() -> io::Result<()> {
    Ok(reboot(RebootCommand::Kexec)?)
}
