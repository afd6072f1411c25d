//! The two architectures of the lab and everything that differs between them.
//!
//! Invariant: every other module asks this one; none matches on an architecture's name by itself.

use clap::ValueEnum;

/// An architecture that the lab host can have. Both are emulated, so either works on any machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Arch {
    /// VT-d with interrupt remapping, nested SVM.
    #[value(name = "x86_64")]
    X86_64,
    /// SMMUv3, GICv3 with an ITS, KVM at EL2.
    #[value(name = "aarch64")]
    Aarch64,
}

/// The interrupt controller of an aarch64 lab host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Gic {
    /// GICv2 with a GICv2m frame: MSIs are not isolated.
    #[value(name = "2")]
    V2,
    /// GICv3 with an ITS.
    #[default]
    #[value(name = "3")]
    V3,
}

impl Arch {
    /// The name that users type and that log folders carry.
    pub fn name(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64",
            Arch::Aarch64 => "aarch64",
        }
    }

    /// The name that Debian gives the architecture.
    pub fn debian(self) -> &'static str {
        match self {
            Arch::X86_64 => "amd64",
            Arch::Aarch64 => "arm64",
        }
    }

    /// The target of the static build.
    pub fn triple(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64-unknown-linux-musl",
            Arch::Aarch64 => "aarch64-unknown-linux-musl",
        }
    }

    /// The emulator's program.
    pub fn qemu(self) -> &'static str {
        match self {
            Arch::X86_64 => "qemu-system-x86_64",
            Arch::Aarch64 => "qemu-system-aarch64",
        }
    }

    /// The Debian package that holds [`Arch::qemu`].
    pub fn qemu_package(self) -> &'static str {
        match self {
            Arch::X86_64 => "qemu-system-x86",
            Arch::Aarch64 => "qemu-system-arm",
        }
    }

    /// The serial console of a QEMU machine of this architecture.
    pub fn console(self) -> &'static str {
        match self {
            Arch::X86_64 => "ttyS0",
            Arch::Aarch64 => "ttyAMA0",
        }
    }

    /// The machine that QEMU gives its own guests when mixvm is compared with it.
    pub fn peer_machine(self) -> &'static str {
        match self {
            Arch::X86_64 => "q35",
            Arch::Aarch64 => "virt,gic-version=host",
        }
    }

    /// Processors of a lab host. Emulated x86_64 processors do not bear it that two of them are in guests at once: the host
    /// stands still or resets itself, about once in ten guests with several processors; on one nothing of the kind was seen.
    pub fn host_cpus(self) -> u32 {
        match self {
            Arch::X86_64 => 1,
            Arch::Aarch64 => 2,
        }
    }

    /// Modules that the lab host loads beside those common to both.
    pub fn host_modules(self) -> &'static [&'static str] {
        match self {
            Arch::X86_64 => &["kvm-amd"],
            Arch::Aarch64 => &[],
        }
    }

    /// The emulated computer: a real IOMMU in front of the PCI bus, and virtualisation for its kernel.
    pub fn machine(self, gic: Gic) -> &'static [&'static str] {
        match (self, gic) {
            (Arch::X86_64, _) => &[
                "-machine",
                "q35,kernel-irqchip=split",
                "-cpu",
                "max,+svm",
                "-device",
                "intel-iommu,intremap=on,device-iotlb=on",
            ],
            (Arch::Aarch64, Gic::V2) => &[
                "-machine",
                "virt,virtualization=on,gic-version=2,iommu=smmuv3",
                "-cpu",
                "max,pauth-impdef=on",
            ],
            (Arch::Aarch64, Gic::V3) => &[
                "-machine",
                "virt,virtualization=on,gic-version=3,iommu=smmuv3",
                "-cpu",
                "max,pauth-impdef=on",
            ],
        }
    }

    /// Whether interrupt messages of its guests are writes to memory, which their IOMMU may translate.
    pub fn messages_are_writes(self) -> bool {
        self == Arch::Aarch64
    }

    /// Whether Debian's kernel for it takes another kernel and its root file system from files (`kexec_file_load`).
    pub fn takes_kernels_from_files(self) -> bool {
        self == Arch::X86_64
    }

    /// Whether a guest's processor is emulated so slowly on it that a hundred thousand requests take minutes.
    pub fn is_slow(self) -> bool {
        self == Arch::Aarch64
    }

    /// The lab host's kernel command line. On x86_64 a periodic tick heals a lost timer interrupt (without it about one
    /// boot in twenty stalls for good under emulation), and the kernel must not panic at once when a busy machine emulates
    /// too slowly for its timer check.
    pub fn host_cmdline(self) -> &'static str {
        match self {
            Arch::X86_64 => {
                "console=ttyS0 intel_iommu=on panic=-1 quiet nohz=off highres=off lapic=notscdeadline no_timer_check"
            }
            Arch::Aarch64 => "console=ttyAMA0 panic=-1 quiet nohz=off highres=off",
        }
    }

    /// Kernel parameters of its guests. An emulated AMD processor is of a family that has an aperture for graphics, which the
    /// kernel looks for on all 256 buses, each read two exits; there is no other way to tell it not to.
    pub fn guest_params(self) -> &'static str {
        match self {
            Arch::X86_64 => "pci=noearly",
            Arch::Aarch64 => "",
        }
    }

    /// The kernel parameter of a host whose idle processors stay awake.
    pub fn polls_when_idle(self) -> &'static str {
        match self {
            Arch::X86_64 => "idle=poll",
            Arch::Aarch64 => "nohlt",
        }
    }
}

#[cfg(test)]
mod tests;
