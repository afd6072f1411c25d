//! A package with everything that it depends on, in one folder.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Apt;
use crate::exec;
use crate::ui::Ui;

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
