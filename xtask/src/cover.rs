//! `cargo xtask cover`: which lines the tests run, by crate and by folder, and whether that is enough where it must be.
//!
//! Lines of tests and of what only tests use do not count.

mod table;

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::ci::{Step, Tests};
use crate::page;
use table::Table;

/// What `cargo xtask cover` takes.
#[derive(clap::Args)]
pub struct Args {
    /// Write the table into docs/src/testing.md
    #[arg(long)]
    write_report: bool,
}

/// The packages whose tests are run.
const PACKAGES: &[&str] = &["virtio_iommu_spec", "iommu_domain", "devices", "suites", "rig"];

/// The step of a longer run.
pub fn step() -> Step {
    let mut command = Command::new("cargo");
    command.args(["xtask", "cover"]);
    Step { name: "cover".into(), command, tests: Tests::Expected }
}

/// Measures and prints; true when no floor is broken.
pub fn run(root: &Path, args: &Args) -> anyhow::Result<bool> {
    prepare()?;
    let report = measure(root)?;
    let table = Table::parse(&report, root).context("cannot read the report of cargo llvm-cov")?;
    println!("{}", table.markdown());
    let low = table.below();
    low.iter().for_each(|group| println!("cover: below its floor: {group}"));
    println!("{}", table.line());
    if args.write_report && low.is_empty() {
        page::write(root, "coverage", &table.markdown())?;
    }
    Ok(low.is_empty())
}

/// Installs what is not there.
fn prepare() -> anyhow::Result<()> {
    if succeeds(&["llvm-cov", "--version"]) {
        return Ok(());
    }
    println!("cover: installing llvm-tools and cargo-llvm-cov (some minutes, once)");
    let added = Command::new("rustup").args(["component", "add", "llvm-tools"]).stdin(Stdio::null()).status();
    anyhow::ensure!(
        added.is_ok_and(|status| status.success()),
        "`rustup component add llvm-tools` failed: is the network reachable?"
    );
    anyhow::ensure!(
        succeeds(&["install", "cargo-llvm-cov", "--locked"]),
        "`cargo install cargo-llvm-cov --locked` failed: is the network reachable?"
    );
    Ok(())
}

fn succeeds(words: &[&str]) -> bool {
    let status = Command::new("cargo").args(words).stdin(Stdio::null()).stdout(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Runs the tests, whose output goes where ours goes, and returns the report.
fn measure(root: &Path) -> anyhow::Result<String> {
    let path = std::env::temp_dir().join(format!("mixvm-cover-{}.json", std::process::id()));
    let packages = PACKAGES.iter().flat_map(|name| ["--package", name]);
    let status = Command::new("cargo")
        .arg("llvm-cov")
        .args(packages)
        .args(["--json", "--summary-only", "--output-path"])
        .arg(&path)
        .current_dir(root)
        .stdin(Stdio::null())
        .status()
        .context("cannot start cargo llvm-cov")?;
    anyhow::ensure!(status.success(), "cargo llvm-cov failed ({status})");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    drop(std::fs::remove_file(&path));
    Ok(text)
}
