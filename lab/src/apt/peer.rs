//! The distribution's QEMU with all that it needs, in a folder of its own: the monitor that mixvm is compared with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Apt;
use crate::arch::Arch;
use crate::exec;
use crate::paths::Paths;
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
    let name = folder.join("version");
    if !folder.is_dir() {
        let state = paths.cache.join("apt");
        let mut apt = Apt { arch: Some(arch), state, sources: None, log: paths.log("peer") };
        let suite = apt.add_backports(ui);
        if let Err(error) = &suite {
            ui.note(&format!("no newer QEMU than this release's own to compare with: {error:#}"));
        }
        let partial = folder.with_extension("partial");
        let _ = fs::remove_dir_all(&partial);
        let version = apt.unpack_with_needs(arch.qemu_package(), suite.ok().as_deref(), &partial, ui)?;
        for folder in ["dev", "proc", "sys", "mnt", "tmp"] {
            fs::create_dir_all(partial.join(folder)).context("making mount points")?;
        }
        fs::write(partial.join("version"), version).context("keeping the version")?;
        fs::rename(&partial, &folder).with_context(|| format!("naming {}", folder.display()))?;
    }
    let version = fs::read_to_string(&name).with_context(|| format!("reading {}", name.display()))?;
    Ok(Peer { folder, version })
}

impl Apt {
    /// Unpacks `package`, of this suite where one is named, and everything that it depends on into one folder. Returns the
    /// package's version.
    pub(super) fn unpack_with_needs(
        &self,
        package: &str,
        suite: Option<&str>,
        folder: &Path,
        ui: &Ui,
    ) -> Result<String> {
        ui.step(&format!("fetching {package} and all that it needs"));
        let archives = self.state.join("cache/archives");
        let _ = fs::remove_dir_all(&archives);
        fs::create_dir_all(archives.join("partial")).context("making a folder for packages")?;
        let mut fetch = self.command("apt-get");
        fetch.args(["-q", "-y", "--download-only", "--no-install-recommends"]);
        fetch.args(suite.iter().flat_map(|suite| ["-t", *suite]));
        exec::run(fetch.args(["install", package]), &self.log)
            .with_context(|| format!("fetching {package} and all that it needs"))?;
        let mut version = None;
        for entry in fs::read_dir(&archives)? {
            let file = entry?.path();
            if file.extension().is_none_or(|extension| extension != "deb") {
                continue;
            }
            exec::run(Command::new("dpkg").arg("-x").arg(&file).arg(folder), &self.log)
                .with_context(|| format!("unpacking {}", file.display()))?;
            version = version.or_else(|| version_of(&file, package));
        }
        let _ = fs::remove_dir_all(&archives);
        match version {
            Some(version) => Ok(version),
            None => bail!("apt-get fetched no {package}"),
        }
    }
}

/// The version in the name of a package's file, `NAME_EPOCH%3aVERSION_ARCH.deb`.
pub(super) fn version_of(file: &Path, package: &str) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    let version = name.strip_prefix(package)?.strip_prefix('_')?.split('_').next()?;
    Some(version.rsplit("%3a").next()?.to_owned())
}
