//! What the lab host is asked to do, and the shell text that asks it.
//!
//! A job is a list of steps over the functions of `scripts/host.sh`. Files beside the VMM and the guest's kernel come in
//! through [`Job::files`]; a test program that drives VFIO without a guest is a file and a [`Step::Command`].

use std::path::PathBuf;

use crate::exec::quoted;
use crate::qemu::{Device, Idle};

/// `kill -9` of one of the VMM's processes, or the host's unbinding of the disk's driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    /// When, as `scripts/stress.sh` knows it: `start`, `boot`, `dma`, `idle`.
    pub moment: &'static str,
    /// Whom: `main` or the role of a worker, shell text; `host` for the unbinding.
    pub victim: &'static str,
}

/// One life of the VMM.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Names the folder with its results.
    pub name: String,
    /// Number of vCPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// The devices assigned to it.
    pub devices: Vec<Device>,
    /// Kernel parameters beside those that every guest gets.
    pub params: String,
    /// What the guest's init shall do: `disk`, `network`, `reboot`.
    pub actions: Vec<&'static str>,
    /// What the action `rig` runs, one after the other: words of the program `rig`, none with a comma in it.
    pub rig: Vec<&'static str>,
    /// What follows each device's address on the VMM's command line.
    pub device_options: &'static str,
    /// Its kernel: [`UNPACKED`] or [`PACKED`].
    pub kernel: &'static str,
    /// How its life is cut short, if it is.
    pub strike: Option<Strike>,
    /// Further options of `mixvm run`; `--virtio-iommu` without a value is given unless it is among them.
    pub options: Vec<String>,
}

/// The guest's kernel, unpacked where it came packed: in the shared folder, and in the lab host's memory.
pub const UNPACKED: &str = "guest-kernel";
/// The same as its package holds it.
pub const PACKED: &str = "guest-kernel-packed";
/// The guest's root file system, likewise.
pub const ROOT: &str = "guest.img";

/// One thing that the lab host does.
#[derive(Clone, Debug)]
pub enum Step {
    /// `mixvm check` on each of these devices, results under `name`.
    Check { name: String, devices: Vec<Device> },
    /// Runs a guest to its end.
    Guest(Guest),
    /// Runs a shell command for at most `limit` seconds, results under `name`.
    Command { name: String, limit: u32, shell: String },
}

/// Everything about one boot of the lab host.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// Devices handed to vfio-pci before the first step.
    pub devices: Vec<Device>,
    /// Programs and data to put into the host's `/bin`: (source, name there).
    pub files: Vec<(PathBuf, String)>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Seconds of silence after which a guest counts as stalled.
    pub guest_stall: u32,
    /// Kernel parameters of every guest.
    pub guest_params: &'static str,
    /// Processors of the lab host, where it is not the usual number.
    pub cpus: Option<u32>,
    /// What they do without work.
    pub idle: Idle,
    /// A root file system with another monitor in it, for a comparison.
    pub peer: Option<PathBuf>,
}

impl Job {
    /// The job as shell text, to be sourced by the lab host's init.
    pub fn script(&self, pattern_mib: usize) -> String {
        let mut text = String::from("# Written by `cargo lab`.\n");
        for device in &self.devices {
            let (vendor, id, nth, variable) = device.identity();
            text.push_str(&format!(
                "{variable}=$(find_pci {vendor} {id} {nth}) || mark fail 'no {device:?} on the lab host'\n\
                 assign \"${variable}\"\nexport {variable}\n"
            ));
        }
        text.push_str("mark assigned-all\n");
        for (at, step) in self.steps.iter().enumerate() {
            text.push_str(&self.step(at, step, pattern_mib));
            text.push('\n');
        }
        text
    }

    /// Whether an option of a guest names this file.
    pub fn wants(&self, file: &str) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Guest(guest) => guest.options.iter().any(|option| option.contains(file)),
            Step::Check { .. } | Step::Command { .. } => false,
        })
    }

    fn step(&self, at: usize, step: &Step, pattern_mib: usize) -> String {
        match step {
            Step::Check { name, devices } => {
                let options: String = devices.iter().map(|d| format!(" --vfio {}", bdf(*d))).collect();
                format!("command_step {} 60 \"mixvm check --virtio-iommu{options} --json\"", quoted(name))
            }
            Step::Guest(guest) => {
                let functions: Vec<_> = guest.devices.iter().map(|device| bdf(*device)).collect();
                let strike = guest.strike.map(|strike| strike.words()).unwrap_or_default();
                format!(
                    "{strike}guest {} {} \"{}\" {}",
                    quoted(&guest.name),
                    self.guest_stall,
                    functions.join(" "),
                    guest.words(self.guest_params, at, pattern_mib).join(" ")
                )
            }
            Step::Command { name, limit, shell } => {
                format!("command_step {} {limit} {}", quoted(name), quoted(shell))
            }
        }
    }
}

impl Strike {
    /// What goes before the guest's own words.
    fn words(self) -> String {
        format!("kill_at {} \"{}\" ", self.moment, self.victim)
    }
}

impl Guest {
    /// The VMM's command line, as words of shell text. `common`: kernel parameters of every guest.
    fn words(&self, common: &str, index: usize, pattern_mib: usize) -> Vec<String> {
        let rig: String =
            self.rig.iter().map(|words| format!("lab.rig={} ", words.replace(' ', ","))).collect();
        let params = format!(
            "console=ttyS0 panic=-1 quiet {common} lab.do={} lab.mib={pattern_mib} lab.index={index} {rig}{}",
            self.actions.join(","),
            self.params
        );
        let params = params.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut words: Vec<String> = ["mixvm", "run", "--cpus"].map(str::to_owned).into();
        words.extend([self.cpus.to_string(), "--mem".into(), self.memory_mib.to_string()]);
        words.extend(["--initrd".to_owned(), format!("/guest/{ROOT}"), "-p".to_owned()]);
        words.push(quoted(&params));
        if !self.options.iter().any(|option| option.starts_with("--virtio-iommu")) {
            words.push("--virtio-iommu".into());
        }
        for device in &self.devices {
            words.extend(["--vfio".to_owned(), format!("\"{}{}\"", bdf(*device), self.device_options)]);
        }
        words.extend(self.options.iter().map(|option| quoted(option)));
        words.extend(["-s", "/run/vm.sock", "--serial", SERIAL].map(str::to_owned));
        words.push(format!("/guest/{}", self.kernel));
        words
    }
}

/// The guest's console: out to standard output, in from standard input.
const SERIAL: &str = "type=stdout";

fn bdf(device: Device) -> String {
    format!("${}", device.identity().3)
}

#[cfg(test)]
mod tests;
