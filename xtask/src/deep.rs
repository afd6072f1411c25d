//! Runs of the tests under a checker: loom tries every order of threads, miri looks at each step of the language, and
//! AddressSanitizer at each access of the crates that are unsafe.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::ci::{Step, Tests};
use crate::page::built;

/// Checks that a run can be put under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Checker {
    /// Every order in which threads can take locks and see numbers
    Loom,
    /// Undefined behaviour, on a nightly toolchain
    Miri,
    /// Memory errors of unsafe code
    Sanitizer,
}

/// What `cargo xtask deep` takes.
#[derive(clap::Args)]
pub struct Args {
    /// Which checker
    checker: Checker,
}

/// What a checker is given.
struct Plan {
    /// Its name in the figures.
    name: &'static str,
    /// Words for cargo, the toolchain included.
    words: &'static [&'static str],
    /// Words for the tests.
    after: &'static [&'static str],
    /// Variables of the environment.
    env: &'static [(&'static str, &'static str)],
    /// What the count stands for.
    what: &'static str,
}

const LOOM: Plan = Plan {
    name: "loom",
    words: &["test", "--package", "iommu_domain", "--package", "devices", "--test", "loom"],
    after: &[],
    env: &[("RUSTFLAGS", "--cfg loom")],
    what: "models, each in every order of its threads",
};

/// The pure crates, and the legs on the fake container; random cases are few. Left out by name is what
/// asks the kernel with ioctl or maps a device.
const MIRI: Plan = Plan {
    name: "miri",
    words: &[
        "+nightly",
        "miri",
        "test",
        "--package",
        "data_model",
        "--package",
        "virtio_iommu_spec",
        "--package",
        "iommu_domain",
        "--package",
        "sync",
        "--lib",
    ],
    after: &["--skip", "leg::vfio", "--skip", "iommu::tests::report"],
    env: &[
        ("PROPTEST_CASES", "2"),
        ("MIRIFLAGS", "-Zmiri-disable-isolation -Zmiri-ignore-leaks -Zmiri-permissive-provenance"),
    ],
    what: "tests of the pure crates under miri",
};

const SANITIZER: Plan = Plan {
    name: "sanitizer",
    words: &[
        "test",
        "--target",
        "x86_64-unknown-linux-gnu",
        "--lib",
        "--package",
        "base",
        "--package",
        "vfio",
        "--package",
        "hypervisor",
        "--package",
        "jail",
    ],
    after: &[],
    env: &[("RUSTC_BOOTSTRAP", "1"), ("RUSTFLAGS", "-Zsanitizer=address")],
    what: "tests of the crates with unsafe code under AddressSanitizer",
};

/// Runs the tests under a checker; true when it found nothing.
pub fn run(root: &Path, args: &Args) -> anyhow::Result<bool> {
    let plan = match args.checker {
        Checker::Loom => LOOM,
        Checker::Miri => {
            prepare_miri()?;
            MIRI
        }
        Checker::Sanitizer => SANITIZER,
    };
    let mut command = Command::new("cargo");
    // A folder of its own: other flags would build everything anew, there and back.
    command.args(plan.words).arg("--target-dir").arg(built(root).join(plan.name));
    command.arg("--").args(plan.after).envs(plan.env.iter().copied());
    let step = Step { name: plan.name.into(), command, tests: Tests::Expected };
    let outcome = step.run(root, &mut std::io::stdout());
    match &outcome.problem {
        None => println!("{}: {} {}, 0 failures", plan.name, outcome.counts.passed, plan.what),
        Some(problem) => println!("{}: FAILED ({problem})", plan.name),
    }
    Ok(outcome.problem.is_none())
}

/// The step of a longer run that puts the tests under a checker.
pub fn step(checker: Checker) -> Step {
    let name = format!("{checker:?}").to_lowercase();
    let mut command = Command::new("cargo");
    command.args(["xtask", "deep", &name]);
    Step { name, command, tests: Tests::Expected }
}

/// Miri comes with nightly toolchains only.
fn prepare_miri() -> anyhow::Result<()> {
    let there = Command::new("cargo").args(["+nightly", "miri", "--version"]).stdin(Stdio::null()).output();
    if there.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    println!("miri: installing a nightly toolchain");
    let words = ["toolchain", "install", "nightly", "--profile", "minimal", "-c", "miri", "-c", "rust-src"];
    let status = Command::new("rustup").args(words).stdin(Stdio::null()).status();
    anyhow::ensure!(
        status.context("cannot start rustup")?.success(),
        "no nightly toolchain with miri is here, and `rustup {}` failed: is the network reachable?",
        words.join(" ")
    );
    Ok(())
}
