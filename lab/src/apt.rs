//! Fetches Debian packages of either architecture into a cache, without touching the system.
//!
//! apt runs on private state (lists, caches, an empty status file) with the machine's own sources, so it needs
//! no privilege and can fetch for an architecture that the machine does not have. Invariant: a package's folder
//! exists under its final name only when it is unpacked whole.

mod backports;
mod emulator;
mod needs;
mod peer;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::arch::Arch;
use crate::exec;
use crate::paths::{Paths, fill_whole};
use crate::ui::Ui;

pub use emulator::emulator;
pub use peer::peer;

const KERNEL: &str = "linux-image-6.12.";
const BUSYBOX: &str = "busybox-static";

/// Unpacked packages.
pub struct Packages {
    /// The kernel's boot image.
    pub kernel: PathBuf,
    /// The kernel's release, such as `6.12.90+deb12-amd64`.
    pub release: String,
    /// The kernel's `lib/modules/RELEASE`.
    pub modules: PathBuf,
    /// The static busybox.
    pub busybox: PathBuf,
}

/// Returns the packages from the cache, or fetches them. `refresh` asks for newer ones than the cache has.
pub fn packages(arch: Arch, refresh: bool, paths: &Paths, ui: &Ui) -> Result<Packages> {
    let cached = cached_kernel(arch, &paths.cache)?;
    let busybox = paths.cache.join(BUSYBOX);
    let kernel = match cached {
        Some(name) if !refresh && busybox.is_dir() => name,
        _ => {
            let state = paths.cache.join("apt");
            let apt = Apt { arch: Some(arch), state, sources: None, log: paths.log("kernels") };
            apt.update(ui)?;
            let name = newest(arch, &apt.names()?).with_context(|| {
                format!("no package {KERNEL}*+deb12-{} in this machine's apt sources", arch.debian())
            })?;
            for package in [name.as_str(), BUSYBOX] {
                apt.unpack(package, &paths.cache.join(package), ui)?;
            }
            name
        }
    };
    let release = kernel.trim_start_matches("linux-image-").to_owned();
    let root = paths.cache.join(&kernel);
    let modules = ["lib/modules", "usr/lib/modules"]
        .map(|folder| root.join(folder).join(&release))
        .into_iter()
        .find(|folder| folder.is_dir())
        .with_context(|| format!("{} has no modules", root.display()))?;
    Ok(Packages {
        kernel: root.join(format!("boot/vmlinuz-{release}")),
        modules,
        release,
        busybox: busybox.join("bin/busybox"),
    })
}

fn cached_kernel(arch: Arch, cache: &Path) -> Result<Option<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(cache).with_context(|| format!("reading {}", cache.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(newest(arch, &names))
}

/// The kernel package with the highest point release. Old ones vanish from the archive, so none is pinned.
fn newest(arch: Arch, names: &[String]) -> Option<String> {
    let point = |name: &String| -> Option<u32> {
        let rest = name.strip_prefix(KERNEL)?;
        let (point, tail) = rest.split_once('+')?;
        (tail == format!("deb12-{}", arch.debian())).then(|| point.parse().ok())?
    };
    names.iter().filter(|name| point(name).is_some()).max_by_key(|name| point(name)).cloned()
}

/// One private state of apt.
struct Apt {
    /// Packages for a machine of this architecture with nothing installed; none: for this one and what it has.
    arch: Option<Arch>,
    /// The folder of the state.
    state: PathBuf,
    /// A list of sources in place of the machine's own in the older form.
    sources: Option<PathBuf>,
    /// Where apt's words go.
    log: PathBuf,
}

impl Apt {
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let state = self.state.display();
        let mut options = vec![
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            // Nothing is installed, and nobody else uses this state.
            "Debug::NoLocking=1".to_owned(),
            format!("Dir::State::Lists={state}/lists"),
            format!("Dir::Cache={state}/cache"),
        ];
        if let Some(arch) = self.arch {
            let architecture = arch.debian();
            options.push(format!("APT::Architecture={architecture}"));
            options.push(format!("APT::Architectures={architecture}"));
            options.push("Dir::State::status=/dev/null".to_owned());
        }
        options.extend(self.sources.iter().map(|list| format!("Dir::Etc::sourcelist={}", list.display())));
        for option in options {
            command.arg("-o").arg(option);
        }
        command
    }

    fn update(&self, ui: &Ui) -> Result<()> {
        for folder in ["lists/partial", "cache/archives/partial"] {
            let folder = self.state.join(folder);
            fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        }
        ui.step(&format!("reading the package lists for {}", self.arch.map_or("this machine", Arch::debian)));
        // A source without this architecture makes the whole update fail; what counts is whether the names are there.
        if let Err(error) = exec::run(self.command("apt-get").args(["-q", "update"]), &self.log) {
            ui.note(&format!("the package lists are not complete, going on: {error:#}"));
        }
        Ok(())
    }

    fn names(&self) -> Result<Vec<String>> {
        let listing = exec::answer(self.command("apt-cache").args(["pkgnames", KERNEL]))?;
        Ok(listing.lines().map(str::to_owned).collect())
    }

    fn unpack(&self, package: &str, folder: &Path, ui: &Ui) -> Result<()> {
        fill_whole(folder, |partial| {
            ui.step(&format!("fetching {package}"));
            let download = self.state.join("download");
            let _ = fs::remove_dir_all(&download);
            fs::create_dir_all(&download).with_context(|| format!("creating {}", download.display()))?;
            let mut fetch = self.command("apt-get");
            exec::run(fetch.args(["-q", "download", package]).current_dir(&download), &self.log)
                .with_context(|| format!("fetching {package}"))?;
            let Some(file) = fs::read_dir(&download)?.next() else {
                bail!("apt-get fetched nothing for {package}")
            };
            exec::run(Command::new("dpkg").arg("-x").arg(file?.path()).arg(partial), &self.log)
                .with_context(|| format!("unpacking {package}"))?;
            let _ = fs::remove_dir_all(&download);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;
