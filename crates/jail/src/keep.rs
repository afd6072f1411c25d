//! The keep-list: in the jail only descriptors are open that somebody asked for.
//!
//! A stray one is an error, not closed: somewhere in this process lives an owner that would later close another's descriptor.

use std::os::fd::RawFd;
use std::path::PathBuf;
use std::{fs, io};

use crate::error::JailError;

/// Fails when anything but standard input, output, error and `keep` is open.
pub(crate) fn check(keep: &[RawFd]) -> Result<(), JailError> {
    let look = |source| JailError::Look { what: "/proc/self/fd", source };
    let entries: io::Result<Vec<PathBuf>> =
        fs::read_dir("/proc/self/fd").and_then(|list| list.map(|e| Ok(e?.path())).collect());
    for entry in entries.map_err(look)? {
        // The list's own descriptor is closed by now.
        let Ok(target) = fs::read_link(&entry) else { continue };
        let fd: Option<RawFd> = entry.file_name().and_then(|name| name.to_str()?.parse().ok());
        if let Some(fd) = fd.filter(|fd| *fd > 2 && !keep.contains(fd)) {
            return Err(JailError::Stray { fd, target: target.display().to_string() });
        }
    }
    Ok(())
}
