//! `cargo xtask jail`: the jail's own test program where `cargo test` cannot run it, in the lab host of the other architecture.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::ci::{OTHER_TARGET, Step, Tests};

/// The architecture that the machine is not taken to have.
const ARCH: &str = "aarch64";
/// The test program, in the package `jail`.
const PROGRAM: &str = "inside";

/// The step of the checks.
pub fn step() -> Step {
    let mut command = Command::new("cargo");
    command.args(["xtask", "jail"]);
    Step { name: format!("jail {ARCH}"), command, tests: Tests::Expected }
}

/// Builds the program for the lab host and runs it there; true when every check held.
pub fn run(root: &Path) -> anyhow::Result<bool> {
    let program = build(root)?;
    let name = program.file_name().context("the test program has no name")?;
    let mut lab = Command::new("cargo");
    lab.current_dir(root).args(["lab", "exec", "--arch", ARCH, "--without-vmm", "--limit", "3600", "--file"]);
    let status = lab.arg(&program).arg("--").arg(name).status().context("starting `cargo lab`")?;
    Ok(status.success())
}

/// A static build of the test program.
fn build(root: &Path) -> anyhow::Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["test", "--no-run", "--package", "jail", "--test", PROGRAM]);
    cargo.args(["--target", OTHER_TARGET, "--message-format", "json"]).stderr(Stdio::inherit());
    let output = cargo.output().context("starting cargo")?;
    ensure!(output.status.success(), "building the jail's test program failed");
    let messages = String::from_utf8_lossy(&output.stdout);
    executable(&messages).context("cargo does not say where the jail's test program is")
}

/// The path of the program in what cargo says, one message a line.
fn executable(messages: &str) -> Option<PathBuf> {
    let mut messages =
        messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    messages.find_map(|message| {
        let wanted = message["target"]["name"] == PROGRAM;
        message["executable"].as_str().filter(|_| wanted).map(PathBuf::from)
    })
}

#[cfg(test)]
mod tests;
