//! Checks and measurements of a kernel's VFIO, made by a process on a host or in a guest.
//!
//! `rig kernel-diff` holds the kernel against the models that the other tests stand on; `rig map-bench` and `rig read-bench`
//! measure. Runs as root, the device bound to vfio-pci; the exit code says whether all went well.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "the figures are its output")]

mod bench;
mod diff;
mod kernel;
mod map_bench;
mod random;
mod raw;
mod read_bench;
mod statistics;
mod trace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "rig", about = "Checks that run on a host with VFIO and need no guest")]
struct Cli {
    #[command(subcommand)]
    check: Check,
}

#[derive(Subcommand)]
enum Check {
    /// Random requests to a type1 container and to its model, answer by answer
    KernelDiff {
        /// PCI address of a device bound to vfio-pci, as 0000:01:00.0
        #[arg(long)]
        device: String,
        /// Requests
        #[arg(long, default_value_t = 1_000_000)]
        ops: u64,
        /// The same seed makes the same requests
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// What a map and an unmap of a type1 container cost
    MapBench(bench::MapBench),
    /// What a direct read of 4 KiB from a block device costs
    ReadBench(bench::ReadBench),
}

fn main() -> ExitCode {
    let done = match Cli::parse().check {
        Check::KernelDiff { device, ops, seed } => kernel::compare(&device, ops, seed).map(|()| {
            println!("1 passed, 0 failed");
        }),
        Check::MapBench(bench) => bench.run(),
        Check::ReadBench(bench) => bench.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("FAILED: {error:#}");
            println!("0 passed, 1 failed");
            ExitCode::FAILURE
        }
    }
}
