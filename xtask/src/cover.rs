//! `cargo xtask cover`: which lines the tests run, by crate.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;

/// The crates that are measured.
const CRATES: &[&str] = &["virtio_iommu_spec", "iommu_domain", "devices"];

/// Prints the table of `cargo llvm-cov`; true when it could be made.
pub fn run(root: &Path) -> anyhow::Result<bool> {
    let there = Command::new("cargo")
        .args(["llvm-cov", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    anyhow::ensure!(
        there.is_ok_and(|status| status.success()),
        "cargo-llvm-cov is missing: `rustup component add llvm-tools && cargo install cargo-llvm-cov` (some minutes)"
    );
    let mut command = Command::new("cargo");
    command
        .arg("llvm-cov")
        .args(CRATES.iter().flat_map(|name| ["--package", name]))
        .args(["--package", "suites"]);
    command.args(["--ignore-filename-regex", "/(tests|testkit|testing)[/.]|^/?tests/", "--summary-only"]);
    let status =
        command.current_dir(root).stdin(Stdio::null()).status().context("cannot start cargo llvm-cov")?;
    Ok(status.success())
}
