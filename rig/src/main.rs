//! `rig CHECK …`: checks and measurements of VFIO, made by a process on a host or in a guest.
//!
//! `kernel-diff` and `oracle` hold the kernel and the product's own use of it against models; inside a guest `in-guest`,
//! `awkward` and `space` are users of VFIO, `hostile` and `revoke` drive virtio devices themselves; `map-bench`, `read-bench` and `exit-bench` measure;
//! `hold-vm` keeps an emulated host alive. Runs as root; the exit code says whether all went well.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "the figures are its output")]

mod awkward;
mod bench;
mod binding;
mod death;
mod diff;
mod exit_bench;
mod hold;
mod host;
mod hostile;
mod in_guest;
mod kernel;
mod kexec;
mod map_bench;
mod nvme;
mod oracle;
mod random;
mod raw;
mod read_bench;
mod revoke;
mod space;
mod statistics;
mod trace;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use death::Scene;

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
    /// Keep a virtual machine that never runs, until killed: the host's kernel then need not change its own code each time
    /// that the first one comes or the last one goes, which an emulated host does not always survive
    HoldVm,
    /// In a guest: a driver for the virtio-iommu that keeps none of the rules
    Hostile {
        /// Random requests
        #[arg(long, default_value_t = 100_000)]
        requests: u64,
        /// The same seed makes the same requests
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// In a guest: memory is taken from a disk behind the virtio-iommu while the disk uses it
    Revoke {
        /// How often
        #[arg(long, default_value_t = 60)]
        rounds: u64,
        /// The same seed waits as long
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// A disk's DMA against a model of what is live, through the product's IOMMU and its leg
    Oracle {
        /// PCI address of an NVMe disk bound to vfio-pci, as 0000:01:00.0; its last blocks are overwritten
        #[arg(long)]
        device: String,
        /// Addresses to aim at
        #[arg(long, default_value_t = 10_000)]
        probes: u64,
        /// The same seed makes the same requests
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// On a host: a process of a VMM whose guest is halted is killed, and its disk reaches nothing any more
    Death {
        /// The VMM's main process
        #[arg(long)]
        main: u32,
        /// The process to kill
        #[arg(long)]
        victim: u32,
        /// PCI address of the NVMe disk that the VMM has
        #[arg(long)]
        device: String,
        /// Where the guest's memory begins
        #[arg(long, value_parser = address)]
        ram: u64,
    },
    /// Inside a guest: another kernel in place of this one
    Kexec {
        /// The kernel, as the machine's own loader wants it
        #[arg(long)]
        kernel: PathBuf,
        /// Its root file system
        #[arg(long)]
        initrd: PathBuf,
        /// Its command line
        #[arg(long)]
        command_line: String,
        /// Not now, but when this kernel panics
        #[arg(long)]
        when_it_panics: bool,
    },
    /// Inside a guest: its NVMe disk from the kernel's driver to VFIO and back, round after round
    InGuest {
        /// Rounds
        #[arg(long, default_value_t = 10)]
        rounds: u32,
        /// Hold a network card in the same container: it joins while memory is mapped, and leaves before the disk does
        #[arg(long)]
        with_network_card: bool,
        /// Hold the other functions of the disk's group too: all of them move from domain to domain
        #[arg(long)]
        with_group: bool,
    },
    /// Inside a guest: an access to a device that no monitor can answer ends the process that makes it, and nothing else
    Awkward {
        /// Be that process
        #[arg(long, value_name = "ADDRESS", hide = true)]
        victim: Option<String>,
    },
    /// Inside a guest: pages all over the space of addresses are refused by the kernel or live for the NVMe disk
    Space {
        /// The same seed tries the same pages
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// What a map and an unmap of a type1 container cost
    MapBench(bench::MapBench),
    /// What a direct read of 4 KiB from a block device costs
    ReadBench(bench::ReadBench),
    /// In a guest: what an access costs that the monitor answers in the processor's exit
    ExitBench(bench::ExitBench),
}

fn main() -> ExitCode {
    let arch = std::env::consts::ARCH;
    let passed = |told: String| println!("{told}\n1 passed, 0 failed");
    let done = match Cli::parse().check {
        Check::KernelDiff { device, ops, seed } => kernel::compare(&device, ops, seed).map(passed),
        Check::Oracle { device, probes, seed } => {
            oracle::run(&device, probes, seed).map(|tally| passed(format!("oracle {arch}: {tally}; 0 leaks")))
        }
        Check::HoldVm => hold::vm(),
        Check::Hostile { requests, seed } => hostile::run(requests, seed).map(passed),
        Check::Revoke { rounds, seed } => revoke::run(rounds, seed).map(passed),
        Check::Death { main, victim, device, ram } => {
            death::run(&Scene { main, victim, device: &device, ram }).map(passed)
        }
        Check::Kexec { kernel, initrd, command_line, when_it_panics } => {
            kexec::run(&kernel, &initrd, &command_line, when_it_panics)
        }
        Check::InGuest { rounds, with_network_card, with_group } => {
            in_guest::run(rounds, with_network_card, with_group).map(passed)
        }
        Check::Awkward { victim: None } => awkward::run().map(passed),
        Check::Awkward { victim: Some(address) } => awkward::suffer(&address),
        Check::Space { seed } => space::run(seed).map(passed),
        Check::MapBench(bench) => bench.run(),
        Check::ReadBench(bench) => bench.run(),
        Check::ExitBench(bench) => bench.run(),
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

/// A number, with 0x before it or without.
fn address(text: &str) -> Result<u64, std::num::ParseIntError> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
}
