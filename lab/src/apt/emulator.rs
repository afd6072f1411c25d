//! A newer emulator than the machine's own, in a folder of its own.

use std::path::PathBuf;

use anyhow::Result;

use super::Apt;
use crate::arch::Arch;
use crate::paths::{Paths, fill_whole};
use crate::ui::Ui;

/// The folder of the emulator from Debian's backports, with what it needs beyond the packages that are installed; from the cache,
/// or fetched.
pub fn emulator(arch: Arch, paths: &Paths, ui: &Ui) -> Result<PathBuf> {
    let folder = paths.cache.join("emulator");
    fill_whole(&folder, |partial| {
        let state = paths.cache.join("apt-own");
        let mut apt = Apt { arch: None, state, sources: None, log: paths.log("packages") };
        let suite = apt.add_backports(ui)?;
        apt.unpack_with_needs(arch.qemu_package(), Some(&suite), partial, ui)?;
        Ok(())
    })?;
    Ok(folder)
}
