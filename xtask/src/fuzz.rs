//! `cargo xtask fuzz`: the fuzz targets, each from its kept corpus on.
//!
//! Two ways: libFuzzer with coverage feedback and AddressSanitizer, where a C++ compiler is at hand; or the random driver
//! of the package, which any toolchain builds and which has no feedback. The output says which one ran.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::Context;

use crate::ci::{Step, Tests};
use crate::suites;

/// What `cargo xtask fuzz` takes.
#[derive(clap::Args)]
pub struct Args {
    /// Multiplies the number of executions: 1 makes ten million in all
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Use the random driver also where libFuzzer could be built
    #[arg(long)]
    random: bool,
    /// Only this target
    #[arg(long)]
    target: Option<String>,
}

/// Targets, and their executions at scale 1 under libFuzzer and at random, by how fast they are.
const TARGETS: &[(&str, u64, u64)] = &[
    ("decode", 9_500_000, 8_000_000),
    ("sequence", 100_000, 800_000),
    ("chain", 150_000, 800_000),
    ("control", 200_000, 500_000),
    ("registers", 80_000, 300_000),
    ("vfio_config", 80_000, 200_000),
    ("block", 60_000, 150_000),
];

const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// What cargo-fuzz passes: edge coverage by counters, and the sanitizer.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-simplifycfg-branch-fold-threshold=0 -Zsanitizer=address --cfg fuzzing";

/// The step that runs all targets.
pub fn step(scale: f64) -> Step {
    let mut command = Command::new("cargo");
    command.args(["xtask", "fuzz", "--scale", &scale.to_string()]);
    Step { name: "fuzz".into(), command, tests: Tests::None }
}

/// Builds the targets and runs them; true when none failed.
pub fn run(root: &Path, args: &Args) -> anyhow::Result<bool> {
    let feedback = !args.random && can_build_libfuzzer() && build_libfuzzer(root)?;
    if !feedback {
        println!("fuzz: without feedback: no C++ compiler for libFuzzer, or not asked for");
    }
    let chosen = |name: &str| args.target.as_deref().is_none_or(|only| only == name);
    let runs: Vec<_> = TARGETS
        .iter()
        .filter(|(name, ..)| chosen(name))
        .map(|(name, guided, random)| {
            (*name, (*if feedback { guided } else { random } as f64 * args.scale) as u64)
        })
        .collect();
    let good = side_by_side(&runs, |target, execs| {
        let mut command = if feedback { libfuzzer(root, target, execs)? } else { drive(root, target, execs) };
        command.output().with_context(|| format!("cannot start the target {target}"))
    });
    let total: u64 = runs.iter().map(|(_, execs)| execs).sum();
    let how = if feedback { "libFuzzer, AddressSanitizer" } else { "at random, no feedback" };
    println!("fuzz: {total} executions ({how}), {}", if good { "0 crashes" } else { "CRASHES, see above" });
    Ok(good)
}

/// Runs the targets, as many at a time as there are processors; what one printed is shown once it has ended. True when none failed.
fn side_by_side(runs: &[(&str, u64)], run: impl Fn(&str, u64) -> anyhow::Result<Output> + Sync) -> bool {
    let next = AtomicUsize::new(0);
    let serve = || {
        let mut good = true;
        while let Some((target, execs)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
            good &= tell(target, run(target, *execs));
        }
        good
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..suites::threads()).map(|_| scope.spawn(serve)).collect();
        threads.into_iter().all(|thread| thread.join().is_ok_and(|good| good))
    })
}

/// Shows what came of one target; true when it did not fail.
fn tell(target: &str, outcome: anyhow::Result<Output>) -> bool {
    let (said, succeeded) = match outcome {
        Ok(Output { stdout, stderr, status }) => {
            (String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned(), status.success())
        }
        Err(error) => (format!("fuzz: {error:#}\n"), false),
    };
    // All of it at once, so that the lines of two targets do not mix.
    println!("{said}fuzz: {target}: {}", if succeeded { "no failure" } else { "FAILED" });
    succeeded
}

/// The sanitizer's flags need the host's own architecture here; other hosts take the random driver.
fn can_build_libfuzzer() -> bool {
    let compiler = Command::new("c++").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    cfg!(target_arch = "x86_64") && compiler.is_ok_and(|status| status.success())
}

/// `RUSTC_BOOTSTRAP` lets the stable compiler take `-Zsanitizer`; the runtime comes with its standard library.
fn build_libfuzzer(root: &Path) -> anyhow::Result<bool> {
    let status = cargo(root).args(["build", "--release", "--bins", "--target", TRIPLE]).status();
    Ok(status.context("cannot start cargo")?.success())
}

fn cargo(root: &Path) -> Command {
    let mut command = Command::new("cargo");
    command
        .current_dir(root.join("fuzz"))
        .stdin(Stdio::null())
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", FLAGS);
    command
}

/// New inputs go to a scratch folder, never into the tree; a crashing one is named there.
fn libfuzzer(root: &Path, target: &str, execs: u64) -> anyhow::Result<Command> {
    let scratch = std::env::temp_dir().join(format!("mixvm-fuzz-{target}"));
    std::fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    let mut command = cargo(root);
    command.args(["run", "--release", "--quiet", "--target", TRIPLE, "--bin", target, "--"]);
    command.arg(&scratch).arg(root.join("fuzz/corpus").join(target));
    command.args([format!("-runs={execs}"), format!("-artifact_prefix={}/crash-", scratch.display())]);
    command.args([
        "-max_len=1024",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        "-verbosity=0",
        "-print_funcs=0",
    ]);
    Ok(command)
}

fn drive(root: &Path, target: &str, execs: u64) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root.join("fuzz")).stdin(Stdio::null());
    command.args(["run", "--release", "--quiet", "--no-default-features", "--bin", "drive", "--", target]);
    command.arg("--execs").arg(execs.to_string()).arg("--corpus").arg(root.join("fuzz/corpus").join(target));
    command
}

#[cfg(test)]
mod tests;
