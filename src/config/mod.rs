//! What the user wants, checked against itself: no look at the host yet, so the same words mean the same everywhere.

mod consoles;
mod emulated;
mod limits;

use std::path::PathBuf;

use data_model::Bdf;
use devices::virtio::iommu::PollMode;
use jail::{Denials, Pieces};

use crate::cmdline::specs::{GuestAddress, IommuChoice, MemSpec, MsiMode, VfioSpec, ViommuSpec};
use crate::cmdline::{CheckArgs, IrqchipArg, RunArgs};
use crate::errors::Refusal;

pub use consoles::{ConsoleConfig, ConsoleInput, ConsoleOutput, Serial};
pub use emulated::{DiskConfig, Emulated, EmulatedConfig, NetConfig};
pub use limits::MOST_DEVICES;

/// The architecture of host and guest, which is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// 64-bit PC.
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

impl Arch {
    /// The one this program was built for.
    pub const fn host() -> Arch {
        if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 }
    }
}

/// The virtual IOMMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViommuConfig {
    /// How MSIs of endpoints reach the guest.
    pub msi: MsiMode,
    /// Value of `config.bypass` at power-on.
    pub bypass_at_boot: bool,
    /// How long the device looks for requests before it sleeps.
    pub poll: PollMode,
}

/// One device to assign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VfioConfig {
    /// Sysfs folder or PCI address on the host, as the user wrote it.
    pub path: String,
    /// Behind the virtual IOMMU, or with all of RAM mapped.
    pub behind_viommu: bool,
    /// Address in the guest, when the user chose one.
    pub guest_address: Option<Bdf>,
    /// Whether the user accepts a host that cannot keep its interrupts apart.
    pub unsafe_interrupts: bool,
}

/// All that assignment depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Architecture.
    pub arch: Arch,
    /// Guest RAM in bytes.
    pub memory: u64,
    /// The virtual IOMMU, when there is one.
    pub viommu: Option<ViommuConfig>,
    /// Devices of the host, in the user's order.
    pub vfio: Vec<VfioConfig>,
    /// Emulated devices: the entropy device, then disks, network cards and consoles, each in the user's order.
    pub emulated: Vec<EmulatedConfig>,
    /// Interrupt controller of an aarch64 guest.
    pub irqchip: IrqchipArg,
    /// Whether devices run in jailed processes, not in main.
    pub jailed: bool,
}

/// The jail that devices run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SandboxConfig {
    /// Pieces that the user goes without.
    pub without: Pieces,
    /// What happens at a system call that a device's policy lacks.
    pub denials: Denials,
}

/// Everything about a machine that the user decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Kernel image.
    pub kernel: PathBuf,
    /// Initial RAM disk.
    pub initrd: Option<PathBuf>,
    /// Words of the user for the kernel's command line, joined.
    pub params: String,
    /// Virtual CPUs.
    pub cpus: u8,
    /// First serial port.
    pub serial: Serial,
    /// Control socket to make.
    pub socket: Option<PathBuf>,
    /// The jail; `None` runs devices in this process.
    pub sandbox: Option<SandboxConfig>,
    /// Devices, memory and IOMMU.
    pub assignment: Assignment,
}

impl Config {
    /// Reads the flags of `run`.
    ///
    /// # Errors
    /// All flags that contradict each other, the architecture or a limit.
    pub fn from_args(args: &RunArgs, arch: Arch) -> Result<Config, Vec<Refusal>> {
        let mut refusals = Vec::new();
        let cpus = limits::cpus(args.cpus.as_ref().and_then(|spec| spec.num_cores), &mut refusals);
        let (serial, consoles) = consoles::read(&args.serial, &mut refusals);
        let emulated = emulated::read(args, consoles, &mut refusals);
        let asked = emulated.iter().any(|device| device.behind_viommu);
        let implied = asked.then(ViommuSpec::default);
        let assignment = assignment(
            args.mem.as_ref(),
            args.virtio_iommu.as_ref().or(implied.as_ref()),
            &args.vfio,
            args.irqchip,
            arch,
            &mut refusals,
        );
        let assignment = Assignment { emulated, jailed: !args.disable_sandbox, ..assignment };
        limits::assignment(&assignment, &mut refusals);
        let config = Config {
            kernel: args.kernel.clone(),
            initrd: args.initrd.clone(),
            params: args.params.join(" "),
            cpus,
            serial,
            socket: args.socket.clone(),
            sandbox: sandbox(args),
            assignment,
        };
        if refusals.is_empty() { Ok(config) } else { Err(refusals) }
    }
}

impl Assignment {
    /// Reads the flags of `check`: devices are behind a virtual IOMMU unless they say otherwise.
    ///
    /// # Errors
    /// As [`Config::from_args`].
    pub fn from_check(args: &CheckArgs, arch: Arch) -> Result<Assignment, Vec<Refusal>> {
        let mut refusals = Vec::new();
        let viommu = args.virtio_iommu.clone().unwrap_or_default();
        let found =
            assignment(args.mem.as_ref(), Some(&viommu), &args.vfio, args.irqchip, arch, &mut refusals);
        let found = Assignment { jailed: !args.disable_sandbox, ..found };
        limits::assignment(&found, &mut refusals);
        if refusals.is_empty() { Ok(found) } else { Err(refusals) }
    }
}

fn sandbox(args: &RunArgs) -> Option<SandboxConfig> {
    let denials = if args.seccomp_log_failures { Denials::Report } else { Denials::Kill };
    (!args.disable_sandbox).then_some(SandboxConfig { without: args.jail_without, denials })
}

fn assignment(
    mem: Option<&MemSpec>,
    viommu: Option<&ViommuSpec>,
    vfio: &[VfioSpec],
    irqchip: Option<IrqchipArg>,
    arch: Arch,
    refusals: &mut Vec<Refusal>,
) -> Assignment {
    let wanted = vfio.iter().any(|spec| spec.iommu == Some(IommuChoice::Viommu));
    let implied = wanted.then(ViommuSpec::default);
    let viommu = viommu.or(implied.as_ref()).map(|spec| ViommuConfig {
        msi: spec.msi.unwrap_or(MsiMode::Bypass),
        bypass_at_boot: spec.bypass_at_boot.is_some_and(|switch| switch.0),
        poll: spec.poll.unwrap_or_default(),
    });
    let found = Assignment {
        arch,
        memory: limits::memory(mem.and_then(|spec| spec.size), refusals),
        viommu,
        vfio: vfio.iter().map(|spec| device(spec, viommu.is_some())).collect(),
        emulated: Vec::new(),
        irqchip: irqchip.unwrap_or_default(),
        jailed: true,
    };
    if arch == Arch::X86_64 && irqchip.is_some() {
        refusals.push(Refusal::new(
            "--irqchip",
            "does not apply",
            "an x86_64 guest has local APICs and no other choice",
            "Leave the flag out.",
        ));
    }
    found
}

fn device(spec: &VfioSpec, viommu: bool) -> VfioConfig {
    VfioConfig {
        path: spec.path.clone().unwrap_or_default(),
        behind_viommu: viommu && spec.iommu != Some(IommuChoice::Off),
        guest_address: match spec.guest_address {
            Some(GuestAddress::At(bdf)) => Some(bdf),
            Some(GuestAddress::Auto) | None => None,
        },
        unsafe_interrupts: spec.unsafe_interrupts.is_some_and(|switch| switch.0),
    }
}

#[cfg(test)]
mod tests;
