//! Installs what this machine lacks: as few system packages as possible, and the Rust target.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::arch::Arch;
use crate::exec;
use crate::paths::Paths;
use crate::ui::Ui;

/// A program that the lab calls and the package that brings it.
struct Need {
    program: &'static str,
    package: &'static str,
    why: &'static str,
}

fn needs(arch: Arch) -> [Need; 3] {
    [
        Need {
            program: arch.qemu(),
            package: arch.qemu_package(),
            why: "plays the lab host: a computer with an IOMMU, VFIO and KVM",
        },
        Need { program: "xz", package: "xz-utils", why: "unpacks the kernel modules" },
        Need { program: "zstd", package: "zstd", why: "unpacks the guest's kernel" },
    ]
}

/// Installs every missing system package; does nothing (and needs no privilege) when all are there.
pub fn install(arch: Arch, paths: &Paths, ui: &Ui) -> Result<()> {
    let missing: Vec<_> = needs(arch).into_iter().filter(|need| !exec::on_path(need.program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        ui.note(&format!("installing {}: it {}", need.package, need.why));
    }
    if !exec::on_path("apt-get") {
        let names: Vec<_> = missing.iter().map(|need| need.package).collect();
        bail!(
            "apt-get is not there to install {}: install what holds these programs by hand",
            names.join(" ")
        );
    }
    let log = paths.log("packages");
    // A source of somebody else's that cannot be reached must not stop us: the installation tells.
    if let Err(error) = exec::run(&mut privileged(&["update", "-q"])?, &log) {
        ui.note(&format!("refreshing the package lists failed, going on with those there are: {error:#}"));
    }
    let mut words = vec!["install", "-q", "-y", "--no-install-recommends"];
    words.extend(missing.iter().map(|need| need.package));
    exec::run(&mut privileged(&words)?, &log).context("installing system packages")
}

/// Installs the Rust target of the static build.
pub fn install_target(arch: Arch, paths: &Paths, ui: &Ui) -> Result<()> {
    let triple = arch.triple();
    let root = exec::answer(Command::new("rustc").current_dir(&paths.tree).args(["--print", "sysroot"]))?;
    let library = std::path::Path::new(root.trim()).join("lib/rustlib").join(triple).join("lib");
    if library.is_dir() {
        return Ok(());
    }
    ui.note(&format!("installing the Rust target {triple}: a static program runs in any root file system"));
    let mut command = Command::new("rustup");
    command.current_dir(&paths.tree).args(["target", "add", triple]);
    exec::run(&mut command, &paths.log("packages"))
        .with_context(|| format!("without rustup, install the standard library for {triple} by hand"))
}

/// `apt-get WORDS` with the rights to install.
fn privileged(words: &[&str]) -> Result<Command> {
    let root = exec::answer(Command::new("id").arg("-u"))?.trim() == "0";
    let mut command;
    if root {
        command = Command::new("env");
    } else if exec::on_path("sudo") {
        command = Command::new("sudo");
        command.args(["-n", "env"]);
    } else {
        bail!("not root and no sudo: run `apt-get {}` as root, then start again", words.join(" "));
    }
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(words);
    Ok(command)
}
