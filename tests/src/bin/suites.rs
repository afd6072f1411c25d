//! `suites NAME [--size N] [--seed N] [--threads N]`: runs one suite in the size asked for.
#![allow(clippy::print_stdout, reason = "the figures are its output")]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use suites::path::{Part, Path};
use suites::{Failure, chains, faults, growth, model};

#[derive(Parser)]
#[command(name = "suites", about = "Suites that run for longer than a unit test")]
struct Cli {
    #[command(subcommand)]
    suite: Suite,
}

#[derive(Subcommand)]
enum Suite {
    /// Random requests against a naive model
    Model {
        /// Requests
        #[arg(long, default_value_t = 1_000_000)]
        size: u64,
        /// First seed; each trace of 2,000 requests has its own
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Threads
        #[arg(long, default_value_t = 2)]
        threads: usize,
    },
    /// Every host call of the map path, made to fail
    Faults,
    /// Malformed chains through the queue
    Chains {
        /// Cases
        #[arg(long, default_value_t = 2_000)]
        size: u64,
        /// First seed
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Requests that try to make the device grow
    Growth {
        /// Rounds of 1,334,000 requests
        #[arg(long, default_value_t = 1)]
        rounds: usize,
    },
    /// Maps and unmaps, for one who counts instructions from outside
    Path {
        /// How much of a request's way: decode, handle, ring; or the device's own look-up, read or translated-read
        #[arg(long, value_parser = part)]
        part: Part,
        /// Mappings that live meanwhile
        #[arg(long, default_value_t = 0)]
        live: u64,
        /// Requests
        #[arg(long, default_value_t = 1_000)]
        size: u64,
    },
}

fn part(word: &str) -> Result<Part, String> {
    match word {
        "decode" => Ok(Part::Decode),
        "handle" => Ok(Part::Handle),
        "ring" => Ok(Part::Ring),
        "look-up" => Ok(Part::LookUp),
        "read" => Ok(Part::Read),
        "translated-read" => Ok(Part::TranslatedRead),
        _ => Err("decode, handle, ring, look-up, read or translated-read".to_owned()),
    }
}

fn main() -> ExitCode {
    match run(&Cli::parse().suite) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("FAILED: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(suite: &Suite) -> Result<String, Failure> {
    match *suite {
        Suite::Model { size, seed, threads } => {
            model::run(seed, size, threads).map(|report| report.to_string())
        }
        Suite::Faults => faults::run().map(|report| report.to_string()),
        Suite::Chains { size, seed } => chains::run(seed, size).map(|report| report.to_string()),
        Suite::Path { part, live, size } => {
            Path::new(live)?.run(part, size)?;
            Ok(format!("path: {size} requests, {part:?}, {live} live"))
        }
        Suite::Growth { rounds } => growth::run(rounds).map(|report| report.to_string()),
    }
}
