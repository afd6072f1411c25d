//! The command line of `cargo lab`.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand};

use crate::arch::{Arch, Gic};
use crate::bench::{Extent, Wish};
use crate::lab::Choices;
use crate::qemu::Idle;

/// A host with an IOMMU, VFIO and KVM by emulation, and the runs made in it.
#[derive(Debug, Parser)]
#[command(name = "cargo lab")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// From nothing to a guest that reads an assigned disk through the virtual IOMMU, with a summary of what happened
    Demo {
        #[command(flatten)]
        common: Common,
        /// Print the summary as JSON
        #[arg(long)]
        json: bool,
    },
    /// Run the table of scenarios, one line each
    Test {
        #[command(flatten)]
        common: Common,
        /// Only scenarios whose name contains this, or one of these
        #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
        only: Vec<String>,
        /// Also the scenarios that take long: each process killed at each moment, twenty reboots
        #[arg(long)]
        long: bool,
        /// Add this many plain starts and ends, to see whether anything piles up
        #[arg(long, value_name = "N", default_value_t = 0)]
        cycles: u32,
    },
    /// Compare the lab host's own VFIO calls, a guest behind QEMU and a guest behind mixvm, in one boot
    Bench {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        args: BenchArgs,
    },
    /// A shell in the lab host, with the devices bound to vfio-pci and mixvm on the path
    Shell {
        #[command(flatten)]
        common: Common,
    },
    /// Run a command in the lab host and return its output and exit code
    Exec {
        #[command(flatten)]
        common: Common,
        /// A static program or a data file to put into the lab host's /bin (may be given several times)
        #[arg(long, value_name = "PATH")]
        file: Vec<PathBuf>,
        /// Seconds after which the command is ended
        #[arg(long, default_value_t = 300)]
        limit: u32,
        /// Do not build mixvm
        #[arg(long)]
        without_vmm: bool,
        /// Build our own program `rig` and put it in
        #[arg(long)]
        rig: bool,
        /// Shell text; $NVME and $E1000E are the PCI addresses of the devices
        #[arg(required = true, last = true)]
        words: Vec<String>,
    },
}

/// Options of `cargo lab bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    /// Write the figures of this architecture into docs/src/performance.md
    #[arg(long)]
    write_report: bool,
    /// Runs of each measurement; medians are shown
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Milliseconds of each run of a rate
    #[arg(long, value_name = "MS", default_value_t = 300)]
    window: u32,
    /// Live mappings beside which pairs are counted, rising
    #[arg(long, value_name = "N,N", default_value = "1,1000,10000,40000")]
    live: String,
    /// Guests of each monitor that only start, besides the one that measures
    #[arg(long, value_name = "N", default_value_t = 4)]
    starts: u32,
    /// Processors of the lab host
    #[arg(long, value_name = "N", default_value_t = 2)]
    host_cpus: u32,
    /// What the lab host's processors do without work
    #[arg(long, value_name = "WHAT", default_value = "halt")]
    host_idle: Idle,
    /// Leave QEMU out
    #[arg(long)]
    without_qemu: bool,
}

impl BenchArgs {
    /// What is to be done.
    pub fn wish(self) -> Result<Wish> {
        let BenchArgs { json, write_report, runs, window, live, starts, host_cpus, host_idle, without_qemu } =
            self;
        let numbers: Vec<u32> =
            live.split(',').map(str::parse).collect::<Result<_, _>>().context("--live")?;
        ensure!(numbers.is_sorted() && !numbers.is_empty(), "--live {live}: the numbers must rise");
        let extent = Extent { runs, window, live, starts, with_qemu: !without_qemu };
        Ok(Wish { extent, host_cpus, host_idle, json, write: write_report })
    }
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Common {
    /// Architecture of the lab host and of mixvm
    #[arg(long, value_enum, default_value = "x86_64")]
    arch: Arch,
    /// Interrupt controller of an aarch64 lab host: 3, or 2 for one that does not isolate MSIs
    #[arg(long, value_enum, default_value = "3")]
    gic: Gic,
    /// Seconds without progress after which a run counts as stalled
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    stall: u32,
    /// Look for newer kernel packages than those in the cache
    #[arg(long)]
    refresh: bool,
    /// A static VMM to use in place of building mixvm
    #[arg(long, value_name = "PATH")]
    vmm: Option<PathBuf>,
    /// A kernel for the lab host with everything built in, in place of Debian's
    #[arg(long, value_name = "PATH")]
    host_kernel: Option<PathBuf>,
    /// A kernel for the guests with everything built in, in place of Debian's
    #[arg(long, value_name = "PATH")]
    guest_kernel: Option<PathBuf>,
}

impl From<Common> for Choices {
    fn from(common: Common) -> Self {
        let Common { arch, gic, stall, refresh, vmm, host_kernel, guest_kernel } = common;
        Self { arch, gic, stall, refresh, vmm, host_kernel, guest_kernel }
    }
}
