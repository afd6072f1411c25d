//! `rig kernel-diff --device ADDRESS`: holds the kernel's VFIO against the models that the other tests stand on.
//!
//! Runs as root on a host whose device is bound to vfio-pci; the exit code says whether there was a difference.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "the figures are its output")]

mod diff;
mod kernel;
mod random;
mod raw;
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
}

fn main() -> ExitCode {
    let Check::KernelDiff { device, ops, seed } = Cli::parse().check;
    match kernel::compare(&device, ops, seed) {
        Ok(()) => {
            println!("1 passed, 0 failed");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("FAILED: {error:#}");
            println!("0 passed, 1 failed");
            ExitCode::FAILURE
        }
    }
}
