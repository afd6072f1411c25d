//! The suites of the package `suites` in the sizes of a check and of a night.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::ci::{Figures, Step, Tests, keep_report, lab_steps, report};
use crate::deep::{self, Checker};
use crate::{cover, fuzz};

/// What `cargo xtask nightly` takes.
#[derive(clap::Args)]
pub struct Args {
    /// First seed of random suites; another one each night finds more
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Part of a night: 0.01 makes minutes of its hours, 0 a trial that is smaller than a check
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Leave out the runs in the lab host
    #[arg(long)]
    no_lab: bool,
}

/// How much of each suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    model: u64,
    chains: u64,
    growth: u64,
    /// Times a hundred thousand executions.
    fuzz: u64,
    /// Requests to the kernel.
    pub kernel: u64,
    /// Addresses that a disk aims at.
    pub probes: u64,
    /// Also the scenarios of the lab that take long.
    pub long: bool,
    pub seed: u64,
}

/// Minutes.
pub const CI: Size = Size {
    model: 100_000_000,
    chains: 4_000,
    growth: 2,
    fuzz: 100,
    kernel: 1_000_000,
    probes: 20_000,
    long: false,
    seed: 1,
};
/// Hours.
const NIGHT: Size = Size {
    model: 10_000_000_000,
    chains: 400_000,
    growth: 20,
    fuzz: 5_000,
    kernel: 20_000_000,
    probes: 1_000_000,
    long: true,
    seed: 1,
};

impl Size {
    /// A part of a night, no less than a fiftieth of a check.
    fn part(scale: f64, seed: u64) -> Size {
        let part = |check: u64, night: u64| check.div_ceil(50).max((night as f64 * scale) as u64);
        Size {
            model: part(CI.model, NIGHT.model),
            chains: part(CI.chains, NIGHT.chains),
            growth: part(CI.growth, NIGHT.growth),
            fuzz: part(CI.fuzz, NIGHT.fuzz),
            kernel: part(CI.kernel, NIGHT.kernel),
            probes: part(CI.probes, NIGHT.probes),
            long: true,
            seed,
        }
    }
}

/// One step for each suite.
pub fn steps(size: Size) -> Vec<Step> {
    let suite = |name: &str, words: &[(&str, u64)]| {
        let mut command = Command::new("cargo");
        command.args(["run", "--release", "--quiet", "--package", "suites", "--", name]);
        for (option, value) in words {
            command.arg(option).arg(value.to_string());
        }
        Step { name: name.into(), command, tests: Tests::None }
    };
    let seed = ("--seed", size.seed);
    vec![
        suite("model", &[("--size", size.model), ("--threads", threads()), seed]),
        suite("faults", &[]),
        suite("chains", &[("--size", size.chains), seed]),
        suite("growth", &[("--rounds", size.growth)]),
        fuzz::step(size.fuzz as f64 / 100.0),
    ]
}

/// Processors that there are for work side by side.
pub fn threads() -> u64 {
    std::thread::available_parallelism().map_or(2, |count| count.get() as u64)
}

/// Runs everything that is worth more time than a check has, and the checkers; true when all were content.
pub fn nightly(root: &Path, args: &Args) -> anyhow::Result<bool> {
    let begun = Instant::now();
    let size = Size::part(args.scale, args.seed);
    println!("nightly: {size:?}");
    let mut steps = steps(size);
    steps.extend([Checker::Loom, Checker::Miri, Checker::Sanitizer].map(deep::step));
    steps.push(cover::step());
    if !args.no_lab {
        steps.extend(lab_steps(size));
    }
    let mut figures = Figures::default();
    let run = |step: Step| {
        println!("\nnightly: {}", step.name);
        step.run(root, &mut figures)
    };
    let outcomes: Vec<_> = steps.into_iter().map(run).collect();
    println!("\nnightly: the figures");
    figures.lines().for_each(|line| println!("{line}"));
    let told = format!("One run of `cargo xtask nightly`: {size:?}");
    keep_report(root, "nightly", &figures.table(&told, &outcomes));
    Ok(report(&outcomes, begun.elapsed()))
}

#[cfg(test)]
mod tests;
