//! `cargo xtask ci`: every check there is, one step after the other, with times and with the number of tests that ran.
//!
//! A step that fails does not keep the later ones from running (except preparation); any failure, and a test step in which no
//! test ran, fails the whole. The last line is always `total: N passed, M failed`.

mod counts;
mod figures;
mod prepare;
mod rig;
mod step;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use counts::Counts;
pub use figures::Figures;
pub use step::{Outcome, Step, Tests};

use crate::deep::{self, Checker};
use crate::{jail, lint, page, suites};

/// What `cargo xtask ci` takes.
#[derive(clap::Args)]
pub struct Args {
    /// Leave out the runs in the lab host
    #[arg(long)]
    no_lab: bool,
    /// Write the steps and the figures of the run into docs/src/testing.md
    #[arg(long)]
    write_report: bool,
}

/// The architecture whose product code is checked beside the machine's own.
pub const OTHER_TARGET: &str = "aarch64-unknown-linux-musl";
/// The lab hosts that the tests run in.
const LAB_ARCHES: &[&str] = &["x86_64", "aarch64"];
/// The runs of scenarios, and the words that choose their lab host.
const LABS: &[(&str, &[&str])] = &[
    ("x86_64", &["--arch", "x86_64"]),
    ("aarch64", &["--arch", "aarch64"]),
    ("aarch64 GICv2", &["--arch", "aarch64", "--gic", "2"]),
];

/// Runs all steps; true when each was content.
pub fn run(root: &Path, args: &Args) -> anyhow::Result<bool> {
    let begun = Instant::now();
    if let Err(error) = prepare::run() {
        println!("ci: preparation FAILED: {error:#}");
        println!("{}", Counts::default());
        return Ok(false);
    }
    let mut outcomes = vec![lint_step(root)];
    let mut figures = Figures::default();
    for step in steps(args) {
        println!("\nci: {}", step.name);
        outcomes.push(step.run(root, &mut figures));
    }
    if args.write_report && outcomes.iter().any(|outcome| outcome.problem.is_some()) {
        println!("\nci: the page stays as it was: only a run without a failure is written there");
    }
    let good = report(&outcomes, begun.elapsed());
    let told = figures.of_ci(&outcomes, &whole());
    keep_report(root, "ci", &told);
    if args.write_report && good {
        figures.write(root, &outcomes, &told)?;
    }
    Ok(good)
}

/// The steps after preparation and lint.
fn steps(args: &Args) -> Vec<Step> {
    let cargo = |name: &str, tests, words: &[&str]| {
        let mut command = Command::new("cargo");
        command.args(words);
        Step { name: name.into(), command, tests }
    };
    let mut steps = vec![
        cargo("test", Tests::Expected, &["test", "--workspace", "--no-fail-fast"]),
        cargo(
            "check aarch64",
            Tests::None,
            &[
                "check",
                "--workspace",
                "--exclude",
                "xtask",
                "--exclude",
                "lab",
                "--keep-going",
                "--target",
                OTHER_TARGET,
            ],
        ),
    ];
    steps.extend(suites::steps(suites::CI));
    steps.push(deep::step(Checker::Loom));
    if !args.no_lab {
        steps.extend(lab_steps(suites::CI));
    }
    steps
}

/// The names of all steps that there are.
fn whole() -> Vec<String> {
    let all = steps(&Args { no_lab: false, write_report: true });
    ["lint".into()].into_iter().chain(all.into_iter().map(|step| step.name)).collect()
}

/// What runs in the lab host, of either architecture.
pub fn lab_steps(size: suites::Size) -> Vec<Step> {
    let scenarios = |(name, words): &(&str, &[&str])| {
        let mut command = Command::new("cargo");
        command.args(["lab", "test"]).args(*words);
        if size.long {
            command.arg("--long");
        }
        Step { name: format!("lab {name}"), command, tests: Tests::Expected }
    };
    let kernels = LAB_ARCHES.iter().map(|arch| rig::step(arch, size.kernel, size.probes, size.seed));
    kernels.chain([jail::step()]).chain(LABS.iter().map(scenarios)).collect()
}

fn lint_step(root: &Path) -> Outcome {
    println!("\nci: lint");
    let begun = Instant::now();
    let problem = match lint::run(root, &lint::Args::default()) {
        Ok(true) => None,
        Ok(false) => Some("see above".into()),
        Err(error) => Some(format!("{error:#}")),
    };
    let (time, counts) = (begun.elapsed(), Counts::default());
    Outcome { name: "lint".into(), time, counts, problem, last_lines: Vec::new() }
}

/// Keeps a run's report where the next run's will stand; one that cannot be kept is no failure of what was checked.
pub fn keep_report(root: &Path, name: &str, told: &str) {
    match page::keep(&page::built(root), name, told) {
        Ok(path) => eprintln!("{name}: the report is kept in {}", path.display()),
        Err(error) => eprintln!("{name}: the report is not kept: {error:#}"),
    }
}

/// Prints the closing table; true when no step had a problem.
pub fn report(outcomes: &[Outcome], time: Duration) -> bool {
    println!();
    let mut total = Counts::default();
    for outcome in outcomes {
        println!("ci: {outcome}");
        total += outcome.counts;
    }
    let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome.problem.is_some()).collect();
    for outcome in failed.iter().filter(|outcome| !outcome.last_lines.is_empty()) {
        println!("\nci: the last lines of {}:", outcome.name);
        // Indented, so that closing lines among them are not counted once more.
        outcome.last_lines.iter().for_each(|line| println!("ci: | {line}"));
    }
    let good = failed.is_empty();
    println!("ci: {} in {:.0} s", if good { "all steps passed" } else { "FAILED" }, time.as_secs_f64());
    println!("{total}");
    good
}

#[cfg(test)]
mod tests;
