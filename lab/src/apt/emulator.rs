//! A newer emulator than the machine's own, in a folder of its own.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::Apt;
use crate::arch::Arch;
use crate::paths::Paths;
use crate::ui::Ui;

/// The folder of the emulator from Debian's backports, with what it needs beyond the packages that are installed; from the cache,
/// or fetched.
pub fn emulator(arch: Arch, paths: &Paths, ui: &Ui) -> Result<PathBuf> {
    let folder = paths.cache.join("emulator");
    if folder.is_dir() {
        return Ok(folder);
    }
    let state = paths.cache.join("apt-own");
    let mut apt = Apt { arch: None, state, sources: None, log: paths.log("packages") };
    fs::create_dir_all(&apt.state).with_context(|| format!("creating {}", apt.state.display()))?;
    let suite = apt.add_backports(ui)?;
    let partial = folder.with_extension("partial");
    let _ = fs::remove_dir_all(&partial);
    apt.unpack_with_needs(arch.qemu_package(), Some(&suite), &partial, ui)?;
    fs::rename(&partial, &folder).with_context(|| format!("naming {}", folder.display()))?;
    Ok(folder)
}
