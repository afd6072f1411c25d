//! The command lines of the measurements, and their figures as people or programs read them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::exit_bench::{self, Exits};
use crate::map_bench::{self, Figures, Plan, Turns};
use crate::read_bench::{self, Reads};
use crate::statistics::{Percentiles, median};

/// `rig map-bench`.
#[derive(Args)]
pub struct MapBench {
    /// PCI address of a device bound to vfio-pci, as 0000:01:00.0
    #[arg(long)]
    device: String,
    /// Live mappings beside which pairs are counted, rising
    #[arg(long, value_delimiter = ',', default_value = "1,1000,10000,40000")]
    live: Vec<usize>,
    /// Small mappings of one run of the latency
    #[arg(long, default_value_t = 1000)]
    samples: usize,
    /// Do nothing but so many pairs of a 4 KiB map and its unmap, and print nothing: for one who counts from outside
    #[arg(long)]
    pairs: Option<u64>,
    /// Take turns with another process that measures the same: before each run say "LAB turn" here, and wait until a line comes
    /// on standard input
    #[arg(long, value_name = "PATH")]
    turns: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// `rig read-bench`.
#[derive(Args)]
pub struct ReadBench {
    /// The block device
    #[arg(long)]
    path: String,
    #[command(flatten)]
    common: Common,
}

/// `rig exit-bench`.
#[derive(Args)]
pub struct ExitBench {
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Common {
    /// Runs of each measurement
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Milliseconds that a run of a rate takes
    #[arg(long, default_value_t = 300)]
    window: u64,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

impl MapBench {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        ensure!(self.live.is_sorted(), "the numbers of live mappings must rise");
        if let Some(count) = self.pairs {
            return map_bench::pairs(&self.device, count);
        }
        let common = &self.common;
        let (samples, live) = (self.samples, self.live.clone());
        let plan = Plan { runs: common.runs, samples, window: common.window(), live };
        let figures = map_bench::measure(&self.device, &plan, &Turns::new(self.turns.as_deref())?)?;
        common.print(&figures, maps)
    }
}

impl ReadBench {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        let common = &self.common;
        let figures = read_bench::measure(&self.path, common.runs, common.window())?;
        common.print(&figures, reads)
    }
}

impl ExitBench {
    /// Measures and prints.
    pub fn run(&self) -> Result<()> {
        let common = &self.common;
        common.print(&exit_bench::measure(common.runs, common.window())?, exits)
    }
}

impl Common {
    fn window(&self) -> Duration {
        Duration::from_millis(self.window)
    }

    fn print<T: Serialize>(&self, figures: &T, text: impl Fn(&T) -> String) -> Result<()> {
        match self.json {
            true => println!("{}", serde_json::to_string(figures)?),
            false => print!("{}", text(figures)),
        }
        Ok(())
    }
}

fn maps(figures: &Figures) -> String {
    let mut text = format!("{:<28}{:>12}\n", "clock", format!("{} ns", figures.clock_ns));
    text += &latency("4 KiB map", &figures.map);
    text += &latency("4 KiB unmap", &figures.unmap);
    for pairs in &figures.pairs {
        text += &rate(&format!("pairs, {} live", pairs.live), &pairs.per_second);
    }
    text += &rate("32 MiB map and unmap", &figures.large_per_second);
    text + &rate("the same in huge pages", &figures.huge_per_second)
}

fn reads(figures: &Reads) -> String {
    rate("4 KiB direct reads", &figures.per_second) + &latency("4 KiB direct read", &figures.latency)
}

fn exits(figures: &Exits) -> String {
    latency("access answered in an exit", &figures.access)
}

fn latency(name: &str, runs: &[Percentiles]) -> String {
    let middle = |of: fn(&Percentiles) -> u64| {
        median(runs.iter().map(of).collect()).unwrap_or_default() as f64 / 1000.0
    };
    format!("{name:<28}{:>9.1} us{:>9.1} us p99\n", middle(|run| run.p50), middle(|run| run.p99))
}

fn rate(name: &str, runs: &[f64]) -> String {
    format!("{name:<28}{:>10.0}/s\n", median(runs.to_vec()).unwrap_or_default())
}
