//! The emulator's command line: a pure function from what the run needs to words.

use std::path::PathBuf;

use crate::arch::{Arch, Gic};

/// What a processor of the lab host does without work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Idle {
    /// It halts: to wake it takes the emulator ten times as long as a call of VFIO.
    #[default]
    Halt,
    /// It stays awake, as on a host whose idle states are switched off.
    Poll,
}

/// The devices that the lab host can have for its guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// An NVMe disk with the known pattern.
    Nvme,
    /// A network card with MSI-X, on a network of its own without any way out.
    E1000e,
    /// A second disk with the same pattern: function 0 of a slot, so that it shares its group with what comes next.
    PairedNvme,
    /// A second network card: function 1 of the slot of [`Device::PairedNvme`], which must be before it.
    PairedE1000e,
}

impl Device {
    /// The PCI ids to find it by, which of the functions with these it is, and the shell variable that will name it in a
    /// job.
    pub fn identity(self) -> (&'static str, &'static str, u8, &'static str) {
        match self {
            Device::Nvme => ("1b36", "0010", 1, "NVME"),
            Device::E1000e => ("8086", "10d3", 1, "E1000E"),
            Device::PairedNvme => ("1b36", "0010", 2, "PAIRED_NVME"),
            Device::PairedE1000e => ("8086", "10d3", 2, "PAIRED_E1000E"),
        }
    }

    /// Which function of its slot it is; function 0 has a root port of its own, and so a group.
    pub fn function(self) -> u8 {
        u8::from(self == Device::PairedE1000e)
    }

    /// Where it is behind its root port, as options of the emulator.
    fn place(self) -> &'static str {
        match self {
            Device::Nvme | Device::E1000e => "",
            Device::PairedNvme => ",multifunction=on,addr=0.0",
            Device::PairedE1000e => ",addr=0.1",
        }
    }
}

/// A lab host about to be started.
pub struct Host<'a> {
    /// What it is.
    pub arch: Arch,
    /// Its interrupt controller, where there is a choice.
    pub gic: Gic,
    /// Its kernel.
    pub kernel: PathBuf,
    /// Its initramfs.
    pub initrd: PathBuf,
    /// The disk that the NVMe device shows; writes to it are thrown away.
    pub disk: PathBuf,
    /// The folder that the host mounts as `/lab`.
    pub share: PathBuf,
    /// The devices, each behind a root port of its own, so that each has its own group, but for a pair.
    pub devices: &'a [Device],
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Processors.
    pub cpus: u32,
    /// What they do without work.
    pub idle: Idle,
    /// A root file system with another monitor in it, for a comparison.
    pub peer: Option<PathBuf>,
    /// Whether the job hands over to a person.
    pub interactive: bool,
}

impl Host<'_> {
    /// All words after the program's name.
    pub fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = ["-accel", "tcg,thread=multi"].map(str::to_owned).into();
        words.extend(self.arch.machine(self.gic).iter().map(|word| (*word).to_owned()));
        let mut add = |option: &str, value: String| words.extend([option.to_owned(), value]);
        add("-smp", self.cpus.to_string());
        add("-m", self.memory_mib.to_string());
        add("-fsdev", format!("local,id=share,security_model=none,path={}", escaped(&self.share)));
        add("-device", "virtio-9p-pci,fsdev=share,mount_tag=lab".into());
        if let Some(peer) = &self.peer {
            let path = escaped(peer);
            add("-fsdev", format!("local,id=peer,security_model=none,readonly=on,path={path}"));
            add("-device", "virtio-9p-pci,fsdev=peer,mount_tag=peer".into());
        }
        let mut port = 0;
        for device in self.devices {
            let place = device.place();
            if device.function() == 0 {
                port += 1;
                add("-device", format!("pcie-root-port,id=rp{port},chassis={port},slot={port}"));
            }
            match device {
                Device::Nvme | Device::PairedNvme => {
                    let disk = escaped(&self.disk);
                    let more = "if=none,format=raw,cache=unsafe,snapshot=on";
                    add("-drive", format!("file={disk},id=nv{port},{more}"));
                    add("-device", format!("nvme,serial=mixvm-lab{port},drive=nv{port},bus=rp{port}{place}"));
                }
                Device::E1000e | Device::PairedE1000e => {
                    add("-netdev", format!("user,id=net{port},restrict=on"));
                    add("-device", format!("e1000e,netdev=net{port},romfile=,bus=rp{port}{place}"));
                }
            }
        }
        add("-kernel", self.kernel.display().to_string());
        add("-initrd", self.initrd.display().to_string());
        add("-append", self.cmdline());
        add("-display", "none".into());
        add("-serial", if self.interactive { "mon:stdio" } else { "stdio" }.into());
        if !self.interactive {
            add("-monitor", "none".into());
        }
        words.extend(["-nodefaults", "-no-user-config", "-no-reboot"].map(str::to_owned));
        words
    }

    fn cmdline(&self) -> String {
        let mut line = self.arch.host_cmdline().to_owned();
        let modules = self.arch.host_modules();
        if !modules.is_empty() {
            line.push_str(&format!(" lab.modules={}", modules.join(",")));
        }
        if self.idle == Idle::Poll {
            line.push(' ');
            line.push_str(self.arch.polls_when_idle());
        }
        if self.interactive {
            line.push_str(" lab.shell=1");
        }
        line
    }
}

/// A path inside a QEMU option list, where a comma is written twice.
fn escaped(path: &std::path::Path) -> String {
    path.display().to_string().replace(',', ",,")
}

#[cfg(test)]
mod tests;
