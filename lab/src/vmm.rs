//! Builds our programs as static ones that run in any root file system.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::arch::Arch;
use crate::exec;
use crate::paths::Paths;

/// A program of the tree; package and program have one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The VMM.
    Mixvm,
    /// The checks that run in the lab host and inside guests.
    Rig,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Program::Mixvm => "mixvm",
            Program::Rig => "rig",
        }
    }
}

/// Builds a program for `arch` and returns its path.
pub fn build(program: Program, arch: Arch, paths: &Paths) -> Result<PathBuf> {
    let (triple, name) = (arch.triple(), program.name());
    let mut command = Command::new("cargo");
    // `rustc` in place of `build`, because only it takes options for the last step: guests unpack the program into memory.
    let words = ["rustc", "--release", "--target", triple, "--package", name, "--bin", name];
    command.current_dir(&paths.tree).args(words).args(["--", "-C", "strip=debuginfo"]);
    exec::run(&mut command, &paths.log("build")).with_context(|| format!("building {name}"))?;
    let built = paths.target.join(triple).join("release").join(name);
    if !built.is_file() {
        bail!("cargo built no {}", built.display());
    }
    Ok(built)
}
