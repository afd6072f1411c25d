//! Builds the VMM as a static program that runs in any root file system.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::arch::Arch;
use crate::exec;
use crate::paths::Paths;

/// Builds `mixvm` for `arch` and returns the program.
pub fn build(arch: Arch, paths: &Paths) -> Result<PathBuf> {
    let triple = arch.triple();
    let mut command = Command::new("cargo");
    command.current_dir(&paths.tree).args([
        "build",
        "--release",
        "--target",
        triple,
        "--package",
        "mixvm",
        "--bin",
        "mixvm",
    ]);
    exec::run(&mut command, &paths.log("build")).context("building the VMM")?;
    let program = paths.target.join(triple).join("release/mixvm");
    if !program.is_file() {
        bail!("cargo built no {}", program.display());
    }
    Ok(program)
}
