//! `cargo xtask bench`: what a request costs the device, without a host: instructions, which no busy machine blurs, memory
//! of a live mapping, and time.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::page::built;

/// The options of the chore.
#[derive(clap::Args)]
pub struct Args {
    /// Leave the measurement of time out
    #[arg(long)]
    no_time: bool,
}

/// How much of a request's way; the function in which that happens; beside which of the live mappings.
const PARTS: [(&str, &str, std::ops::Range<usize>); 6] = [
    ("decode", "*Path*run*", 0..1),
    ("handle", "*Path*run*", 0..4),
    ("ring", "*serve_rings*", 0..2),
    ("look-up", "*Path*run*", 0..4),
    ("read", "*Path*run*", 0..1),
    ("translated-read", "*Path*run*", 1..4),
];
/// Live mappings.
const LIVE: [u64; 4] = [0, 1_000, 100_000, 1_000_000];
/// Two sizes: their difference is free of what happens once. Multiples of the ring's batch.
const SIZES: [u64; 2] = [640, 1_920];

/// Prints it all; false when a part failed.
pub fn run(root: &Path, args: &Args) -> Result<bool> {
    let mut build = Command::new("cargo");
    build.current_dir(root).args(["build", "--release", "--quiet", "--package", "suites"]);
    ensure!(build.status().context("starting cargo")?.success(), "the suites do not build");
    let program = built(root).join("release/suites");
    println!(
        "instructions of one request, the mean of a 4 KiB map and its unmap, of a device's look-up and its reads of 64 bits, by live mappings:"
    );
    println!("{:<16}{}", "", LIVE.map(|live| format!("{live:>12}")).concat());
    for (part, function, rows) in PARTS {
        let mut line = format!("{part:<16}{}", " ".repeat(12 * rows.start));
        for &live in &LIVE[rows] {
            let [few, many] = SIZES.map(|size| instructions(&program, part, function, (live, size)));
            let each = (many? - few?) as f64 / (SIZES[1] - SIZES[0]) as f64;
            line.push_str(&format!("{each:>12.0}"));
        }
        println!("{line}");
    }
    let grown = Command::new(&program).arg("growth").status().context("starting the suites")?.success();
    let timed = args.no_time || {
        let mut bench = Command::new("cargo");
        bench.current_dir(root).args(["bench", "--package", "suites"]);
        bench.status().context("starting cargo")?.success()
    };
    Ok(grown && timed)
}

/// Instructions in `function` of a run over `size` requests beside `live` mappings.
fn instructions(program: &Path, part: &str, function: &str, (live, size): (u64, u64)) -> Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"]);
    valgrind.arg(format!("--toggle-collect={function}")).arg(program).args(["path", "--part", part]);
    valgrind.args(["--live", &live.to_string(), "--size", &size.to_string()]);
    let output =
        valgrind.output().context("starting valgrind, which counts; install the package valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("`{part}` failed under valgrind: {}{said}", String::from_utf8_lossy(&output.stdout));
    }
    collected(&said).with_context(|| format!("valgrind counted nothing in {function}"))
}

/// The count in valgrind's closing lines, `==PID== Collected : COUNT`.
fn collected(text: &str) -> Option<u64> {
    let count = text.lines().find_map(|line| line.split_once("Collected : "))?.1.trim().parse().ok()?;
    (count > 0).then_some(count)
}

#[cfg(test)]
mod tests;
