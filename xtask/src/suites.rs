//! The suites of the package `suites` in the sizes of a check and of a night.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::ci::{Figures, Step, Tests, report};
use crate::fuzz;

/// What `cargo xtask nightly` takes.
#[derive(clap::Args)]
pub struct Args {
    /// First seed of random suites; another one each night finds more
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// How much of each suite.
#[derive(Clone, Copy)]
pub struct Size {
    model: u64,
    chains: u64,
    growth: u32,
    seed: u64,
}

/// Minutes.
pub const CI: Size = Size { model: 100_000_000, chains: 4_000, growth: 2, seed: 1 };
/// Hours.
const NIGHT: Size = Size { model: 10_000_000_000, chains: 400_000, growth: 20, seed: 1 };

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
        suite("growth", &[("--rounds", size.growth.into())]),
    ]
}

fn threads() -> u64 {
    std::thread::available_parallelism().map_or(2, |count| count.get() as u64)
}

/// Runs the suites and the fuzz targets in the size of a night.
pub fn nightly(root: &Path, args: &Args) -> anyhow::Result<bool> {
    let begun = Instant::now();
    let mut steps = steps(Size { seed: args.seed, ..NIGHT });
    steps.push(fuzz::step(fuzz::NIGHT));
    let mut figures = Figures::default();
    let outcomes: Vec<_> = steps.into_iter().map(|step| step.run(root, &mut figures)).collect();
    Ok(report(&outcomes, begun.elapsed()))
}
