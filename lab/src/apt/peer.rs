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

/// From the cache, or fetched.
pub fn peer(arch: Arch, paths: &Paths, ui: &Ui) -> Result<Peer> {
    let _held = paths.hold_cache()?;
    let folder = paths.cache.join("peer");
    let name = folder.join("version");
    if !folder.is_dir() {
        let apt = Apt { arch, state: paths.cache.join("apt"), log: paths.log("peer") };
        apt.update(ui)?;
        apt.unpack_with_needs(arch.qemu_package(), &folder, ui)?;
    }
    let version = fs::read_to_string(&name).with_context(|| format!("reading {}", name.display()))?;
    Ok(Peer { folder, version })
}

impl Apt {
    /// Unpacks `package` and everything that it depends on into one folder.
    fn unpack_with_needs(&self, package: &str, folder: &Path, ui: &Ui) -> Result<()> {
        ui.step(&format!("fetching {package} and all that it needs"));
        let archives = self.state.join("cache/archives");
        let partial = folder.with_extension("partial");
        for folder in [&archives, &partial] {
            let _ = fs::remove_dir_all(folder);
        }
        fs::create_dir_all(archives.join("partial")).context("making a folder for packages")?;
        let mut fetch = self.command("apt-get");
        fetch.args(["-q", "-y", "--download-only", "--no-install-recommends", "install", package]);
        exec::run(&mut fetch, &self.log)
            .with_context(|| format!("fetching {package} and all that it needs"))?;
        let mut version = None;
        for entry in fs::read_dir(&archives)? {
            let file = entry?.path();
            if file.extension().is_none_or(|extension| extension != "deb") {
                continue;
            }
            exec::run(Command::new("dpkg").arg("-x").arg(&file).arg(&partial), &self.log)
                .with_context(|| format!("unpacking {}", file.display()))?;
            version = version.or_else(|| version_of(&file, package));
        }
        let Some(version) = version else { bail!("apt-get fetched no {package}") };
        for folder in ["dev", "proc", "sys", "mnt", "tmp"] {
            fs::create_dir_all(partial.join(folder)).context("making mount points")?;
        }
        fs::write(partial.join("version"), version).context("keeping the version")?;
        let _ = fs::remove_dir_all(&archives);
        fs::rename(&partial, folder).with_context(|| format!("naming {}", folder.display()))
    }
}

/// The version in the name of a package's file, `NAME_EPOCH%3aVERSION_ARCH.deb`.
pub(super) fn version_of(file: &Path, package: &str) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    let version = name.strip_prefix(package)?.strip_prefix('_')?.split('_').next()?;
    Some(version.rsplit("%3a").next()?.to_owned())
}
