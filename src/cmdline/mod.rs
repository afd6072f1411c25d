//! The command line: what may be said, not what it means ([`crate::config`] decides that).

pub mod options;
pub mod specs;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jail::Pieces;

use specs::{BlockSpec, CpusSpec, MemSpec, NetSpec, RngSpec, SerialSpec, VfioSpec, ViommuSpec};

/// A virtual machine monitor whose guests have an IOMMU of their own.
#[derive(Debug, Parser)]
#[command(name = "mixvm", version, infer_subcommands = false)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a machine and stay until it ends.
    Run(Box<RunArgs>),
    /// Tell whether devices of this host can be assigned, and what keeps them from it. Exit code 0: they can.
    Check(CheckArgs),
    /// Stop a running machine.
    Stop(SocketArgs),
    /// Halt the virtual CPUs of a running machine. Its devices finish what they were asked to do, and an assigned
    /// device's DMA goes on. Does nothing to a machine that is suspended.
    Suspend(SocketArgs),
    /// Let a suspended machine go on. Does nothing to a machine that runs.
    Resume(SocketArgs),
    /// Look at the virtual IOMMU of a running machine.
    #[command(subcommand)]
    Viommu(ViommuCommand),
}

/// What can be done with the virtual IOMMU of a running machine.
#[derive(Debug, Subcommand)]
pub enum ViommuCommand {
    /// Show endpoints, domains and the host's side of them.
    Show(ShowArgs),
    /// Draw the address space of each domain: as an SVG file, or as text on the terminal.
    Map(MapArgs),
}

/// The guest's interrupt controller on aarch64, as far as MSIs go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum IrqchipArg {
    /// An interrupt translation service; the host must have a GICv3.
    Its,
    /// A GICv2m frame.
    V2m,
    /// What the host's own controller suggests.
    #[default]
    Auto,
}

/// Flags of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Number of virtual CPUs, 1 to 255.
    #[arg(short, long, value_name = "N", value_parser = CpusSpec::parse, long_help = CpusSpec::help())]
    pub cpus: Option<CpusSpec>,
    /// Guest RAM in MiB.
    #[arg(short, long, value_name = "MiB", value_parser = MemSpec::parse, long_help = MemSpec::help())]
    pub mem: Option<MemSpec>,
    /// Initial RAM disk for the guest's kernel.
    #[arg(short, long, value_name = "FILE")]
    pub initrd: Option<PathBuf>,
    /// Words for the guest kernel's command line; may be given several times.
    #[arg(short, long, value_name = "CMDLINE", allow_hyphen_values = true)]
    pub params: Vec<String>,
    /// Where the first serial port goes, and more consoles.
    #[arg(long, value_name = "OPTIONS", value_parser = SerialSpec::parse, long_help = SerialSpec::help())]
    pub serial: Vec<SerialSpec>,
    /// Give the guest an IOMMU, and put the assigned devices behind it.
    #[arg(long, value_name = "OPTIONS", num_args = 0..=1, require_equals = true, default_missing_value = "",
          value_parser = ViommuSpec::parse, long_help = ViommuSpec::help())]
    pub virtio_iommu: Option<ViommuSpec>,
    /// Assign a PCI device of the host.
    #[arg(long, value_name = "PATH[,OPTIONS]", value_parser = VfioSpec::parse, long_help = VfioSpec::help())]
    pub vfio: Vec<VfioSpec>,
    /// Give the guest a disk.
    #[arg(long, value_name = "PATH[,OPTIONS]", value_parser = BlockSpec::parse, long_help = BlockSpec::help())]
    pub block: Vec<BlockSpec>,
    /// Give the guest a network card.
    #[arg(long, value_name = "OPTIONS", value_parser = NetSpec::parse, long_help = NetSpec::help())]
    pub net: Vec<NetSpec>,
    /// Where the entropy device stands.
    #[arg(long, value_name = "OPTIONS", value_parser = RngSpec::parse, long_help = RngSpec::help())]
    pub rng: Option<RngSpec>,
    /// Interrupt controller of an aarch64 guest.
    #[arg(long, value_enum)]
    pub irqchip: Option<IrqchipArg>,
    /// Control socket to make, for `mixvm stop`, `suspend`, `resume` and `viommu`.
    #[arg(short, long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Run the devices in this process, without a sandbox.
    #[arg(long, conflicts_with_all = ["jail_without", "seccomp_log_failures"])]
    pub disable_sandbox: bool,
    /// Pieces of the jail to go without, where the host's kernel lacks them: user,landlock …
    #[arg(long, value_name = "PIECE,…", default_value = "", hide_default_value = true)]
    pub jail_without: Pieces,
    /// Name system calls that a device's policy lacks, and let them happen. For writing policies; no protection.
    #[arg(long)]
    pub seccomp_log_failures: bool,
    /// The guest's kernel: a bzImage (x86_64) or an Image (aarch64).
    #[arg(value_name = "KERNEL")]
    pub kernel: PathBuf,
}

/// Flags of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The device to look at, written as for `run`; may be given several times.
    #[arg(long, required = true, value_name = "PATH[,OPTIONS]", value_parser = VfioSpec::parse, long_help = VfioSpec::help())]
    pub vfio: Vec<VfioSpec>,
    /// Guest RAM to reckon with, in MiB.
    #[arg(short, long, value_name = "MiB", value_parser = MemSpec::parse, long_help = MemSpec::help())]
    pub mem: Option<MemSpec>,
    /// The options that `run` would be given.
    #[arg(long, value_name = "OPTIONS", num_args = 0..=1, require_equals = true, default_missing_value = "",
          value_parser = ViommuSpec::parse, long_help = ViommuSpec::help())]
    pub virtio_iommu: Option<ViommuSpec>,
    /// Interrupt controller of an aarch64 guest.
    #[arg(long, value_enum)]
    pub irqchip: Option<IrqchipArg>,
    /// Reckon with a run that has this flag too: its own process maps for devices, not a jailed one.
    #[arg(long)]
    pub disable_sandbox: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

/// A running machine.
#[derive(Debug, Args)]
pub struct SocketArgs {
    /// Its control socket, as given to `run --socket`.
    #[arg(value_name = "SOCKET")]
    pub socket: PathBuf,
}

/// Flags of `viommu show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The machine's control socket, as given to `run --socket`.
    #[arg(value_name = "SOCKET")]
    pub socket: PathBuf,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    pub json: bool,
    /// List each mapping of each domain too, up to 32768 of them.
    #[arg(long)]
    pub mappings: bool,
}

/// Flags of `viommu map`.
#[derive(Debug, Args)]
pub struct MapArgs {
    /// The machine's control socket, as given to `run --socket`.
    #[arg(value_name = "SOCKET")]
    pub socket: PathBuf,
    /// Write the drawing to this file instead of the terminal.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

#[cfg(test)]
mod tests;
