//! What the checks need from the machine: parts of the Rust toolchain. The lab fetches its own emulators and kernels.
//!
//! Nothing is installed that is there already, so a second run touches no network.

use std::process::{Command, Stdio};

use anyhow::Context;

/// Toolchain components: the cargo subcommand that shows it is there, and its name for rustup.
const COMPONENTS: &[(&str, &str)] = &[("fmt", "rustfmt"), ("clippy", "clippy")];

/// Targets of the static builds.
const TARGETS: &[&str] = &["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"];

/// Adds what is missing.
pub fn run() -> anyhow::Result<()> {
    println!("ci: prepare");
    for (subcommand, component) in COMPONENTS {
        if !succeeds(Command::new("cargo").args([subcommand, "--version"])) {
            rustup("component", component)?;
        }
    }
    for target in TARGETS {
        if !has_target(target)? {
            rustup("target", target)?;
        }
    }
    Ok(())
}

/// Whether the toolchain has the target's standard library, however the toolchain was installed.
fn has_target(target: &str) -> anyhow::Result<bool> {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .stdin(Stdio::null())
        .output()
        .context("cannot start rustc")?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_string();
    let Ok(mut entries) = std::fs::read_dir(&folder) else { return Ok(false) };
    Ok(entries
        .any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))))
}

fn rustup(kind: &str, name: &str) -> anyhow::Result<()> {
    println!("ci: rustup {kind} add {name}");
    let status = Command::new("rustup").args([kind, "add", name]).stdin(Stdio::null()).status().with_context(|| {
        format!("the {kind} {name} is missing and rustup does not start: install {name} the way the toolchain was installed")
    })?;
    anyhow::ensure!(
        status.success(),
        "`rustup {kind} add {name}` failed ({status}): is the network reachable?"
    );
    Ok(())
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests;
