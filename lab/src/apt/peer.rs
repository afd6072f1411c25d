//! The distribution's QEMU with all that it needs, in a folder of its own: the monitor that mixvm is compared with.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::Apt;
use crate::arch::Arch;
use crate::paths::{Paths, fill_whole};
use crate::ui::Ui;

/// A root file system with QEMU in it.
pub struct Peer {
    /// Its root.
    pub folder: PathBuf,
    /// Version of the package.
    pub version: String,
}

/// From the cache, or fetched: from Debian's backports where there are any, else what the machine's own sources offer.
pub fn peer(arch: Arch, paths: &Paths, ui: &Ui) -> Result<Peer> {
    let _held = paths.hold_cache()?;
    let folder = paths.cache.join("monitor");
    fill_whole(&folder, |partial| {
        let state = paths.cache.join("apt");
        let mut apt = Apt { arch: Some(arch), state, sources: None, log: paths.log("peer") };
        let suite = apt.add_backports(ui);
        if let Err(error) = &suite {
            ui.note(&format!("no newer QEMU than this release's own to compare with: {error:#}"));
        }
        let version = apt.unpack_with_needs(arch.qemu_package(), suite.ok().as_deref(), partial, ui)?;
        for folder in ["dev", "proc", "sys", "mnt", "tmp"] {
            fs::create_dir_all(partial.join(folder)).context("making mount points")?;
        }
        fs::write(partial.join("version"), version).context("keeping the version")
    })?;
    let name = folder.join("version");
    let version = fs::read_to_string(&name).with_context(|| format!("reading {}", name.display()))?;
    Ok(Peer { folder, version })
}
