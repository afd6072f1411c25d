//! Makes a lab from nothing (packages, kernels, the VMM, root file systems) and runs jobs in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::apt;
use crate::arch::{Arch, Gic};
use crate::console::{Mark, guest_fact};
use crate::disk::{self, Disk};
use crate::emulator::Emulator;
use crate::images;
use crate::initramfs;
use crate::job::{Job, PACKED, ROOT, UNPACKED};
use crate::kernel;
use crate::packages;
use crate::paths::Paths;
use crate::qemu::Host;
use crate::root;
use crate::scenarios::KERNEL_DISK;
use crate::ui::Ui;
use crate::vmm::{self, Program};
use crate::watch::{self, Outcome};

/// Memory of the lab host in MiB: two guests' worth and its own.
const MEMORY_MIB: u32 = 2048;
/// Bytes of a disk's sector.
const SECTOR: usize = 512;

/// What the user chose.
#[derive(Clone, Debug)]
pub struct Choices {
    /// The lab host's architecture.
    pub arch: Arch,
    /// Its interrupt controller, where there is a choice.
    pub gic: Gic,
    /// Seconds without a progress mark after which a run counts as stalled.
    pub stall: u32,
    /// Look for newer packages than those in the cache.
    pub refresh: bool,
    /// A VMM to use in place of building mixvm.
    pub vmm: Option<PathBuf>,
    /// A kernel of the user's own for the lab host, everything built in.
    pub host_kernel: Option<PathBuf>,
    /// A kernel of the user's own for the guests, everything built in.
    pub guest_kernel: Option<PathBuf>,
}

/// A lab that is ready to run jobs.
pub struct Lab {
    /// What it was made for.
    pub choices: Choices,
    /// Its folders.
    pub paths: Paths,
    /// The disk behind the NVMe device.
    pub disk: Disk,
    /// Release of the kernel that the packages brought.
    pub release: String,
    emulator: Emulator,
    vmm: Option<PathBuf>,
    rig: Option<PathBuf>,
    /// Appended to the guest's archive.
    tools: Vec<u8>,
    host_kernel: PathBuf,
    host_initrd: PathBuf,
    guest_kernel: PathBuf,
    packed_kernel: PathBuf,
    guest_initrd: PathBuf,
    /// What goes onto a guest's disk.
    guest_files: Vec<root::Entry>,
}

impl Lab {
    /// Brings everything up to date. Phases already done by an earlier run cost next to nothing.
    pub fn prepare(choices: Choices, paths: Paths, programs: &[Program], ui: &mut Ui) -> Result<Self> {
        let arch = choices.arch;
        if choices.gic == Gic::V2 && arch != Arch::Aarch64 {
            bail!("--gic 2 is for a lab host with --arch aarch64");
        }
        ui.logs(&paths.run);
        ui.phase("packages");
        let cache_lock = paths.hold_cache()?;
        packages::install(arch, &paths, ui)?;
        packages::install_target(arch, &paths, ui)?;
        let emulator = Emulator::find(arch, &paths, ui)?;
        ui.step(&format!("QEMU {}", emulator.version));
        ui.phase("kernels");
        let packages = apt::packages(arch, choices.refresh, &paths, ui)?;
        ui.step(&format!("Linux {}", packages.release));
        // The build touches no cache: other runs need not wait for it.
        drop(cache_lock);
        ui.phase("build");
        let vmm = match &choices.vmm {
            Some(given) => Some(given.clone()),
            None if programs.contains(&Program::Mixvm) => Some(vmm::build(Program::Mixvm, arch, &paths)?),
            None => None,
        };
        let wanted = programs.contains(&Program::Rig);
        let rig = wanted.then(|| vmm::build(Program::Rig, arch, &paths)).transpose()?;
        ui.phase("images");
        let cache_lock = paths.hold_cache()?;
        let host_initrd = initramfs::host(arch, &packages, choices.host_kernel.is_none(), &paths.images)?;
        let guest_initrd = initramfs::guest(&packages, choices.guest_kernel.is_none(), &paths.images)?;
        let with_modules = choices.guest_kernel.is_none();
        let tools = rig.as_ref().map(|rig| initramfs::tools(&packages, with_modules, rig)).transpose()?;
        let tools = tools.unwrap_or_default();
        let guest_files = initramfs::guest_files(&packages, with_modules)?;
        let disk = disk::disk(&paths.cache)?;
        let unpacked = kernel::unpacked(&packages.kernel, &paths.images)?;
        drop(cache_lock);
        let host_kernel = choices.host_kernel.clone().unwrap_or_else(|| packages.kernel.clone());
        let packed_kernel = choices.guest_kernel.clone().unwrap_or_else(|| packages.kernel.clone());
        let guest_kernel = choices.guest_kernel.clone().unwrap_or(unpacked);
        Ok(Self {
            choices,
            paths,
            disk,
            release: packages.release.clone(),
            emulator,
            vmm,
            rig,
            tools,
            host_kernel,
            host_initrd,
            guest_kernel,
            packed_kernel,
            guest_initrd,
            guest_files,
        })
    }

    /// Boots the lab host, runs `job` in it and returns how that went; results are in [`Lab::results`].
    pub fn run(&self, job: &Job, log: &Path, ui: &mut Ui) -> Result<Outcome> {
        self.fill_share(job)?;
        let stall = Duration::from_secs(self.choices.stall.into());
        let outcome = watch::run(|| self.command(job, false), log, stall, |mark| show(mark, ui))?;
        if !outcome.failures.is_empty() {
            bail!("in the lab host: {}", outcome.failures.join("; "));
        }
        Ok(outcome)
    }

    /// Boots the lab host with a shell on the terminal.
    pub fn shell(&self, job: &Job) -> Result<()> {
        self.fill_share(job)?;
        let status = self.command(job, true).status().context("starting the emulator")?;
        if !status.success() {
            bail!("the emulator ended with {status}");
        }
        Ok(())
    }

    /// The folder with the results of the step called `name`.
    pub fn results(&self, name: &str) -> PathBuf {
        self.share().join("out").join(name)
    }

    fn share(&self) -> PathBuf {
        self.paths.run.join("share")
    }

    fn command(&self, job: &Job, interactive: bool) -> Command {
        let host = Host {
            arch: self.choices.arch,
            gic: self.choices.gic,
            kernel: self.host_kernel.clone(),
            initrd: self.host_initrd.clone(),
            disk: self.disk.path.clone(),
            share: self.share(),
            devices: &job.devices,
            memory_mib: MEMORY_MIB,
            cpus: job.cpus.unwrap_or(self.choices.arch.host_cpus()),
            idle: job.idle,
            peer: job.peer.clone(),
            interactive,
        };
        let mut command = self.emulator.command();
        command.args(host.words());
        command
    }

    fn fill_share(&self, job: &Job) -> Result<()> {
        let share = self.share();
        let _ = fs::remove_dir_all(&share);
        for folder in ["bin", "out"] {
            fs::create_dir_all(share.join(folder))
                .with_context(|| format!("creating {}", share.display()))?;
        }
        let mut files: Vec<(&Path, String)> =
            vec![(&self.guest_kernel, UNPACKED.into()), (&self.packed_kernel, PACKED.into())];
        files.extend(self.vmm.iter().map(|vmm| (vmm.as_path(), "bin/mixvm".into())));
        files.extend(self.rig.iter().map(|rig| (rig.as_path(), "bin/rig".into())));
        files.extend(job.files.iter().map(|(source, name)| (source.as_path(), format!("bin/{name}"))));
        for (source, name) in files {
            fs::copy(source, share.join(&name)).with_context(|| format!("copying {}", source.display()))?;
        }
        let mut image = fs::read(&self.guest_initrd)
            .with_context(|| format!("reading {}", self.guest_initrd.display()))?;
        image.extend(&self.tools);
        fs::write(share.join(ROOT), image).context("writing the guest's root file system")?;
        if job.wants(root::PATH) {
            let log = self.paths.log("images");
            root::make(&share.join("root.img"), &self.guest_files, &self.disk.pattern(), &log)?;
        }
        if job.wants(images::RAW) || job.wants(images::QCOW2) {
            images::make(&share, &self.disk).context("making data disks")?;
        }
        if job.wants(KERNEL_DISK) {
            let kernel = fs::read(&self.packed_kernel).context("reading the kernel")?;
            fs::write(share.join("kernel.img"), whole_sectors(kernel))
                .context("writing the kernel's disk")?;
        }
        let script = share.join("job.sh");
        fs::write(&script, job.script(disk::PATTERN_MIB))
            .with_context(|| format!("writing {}", script.display()))
    }
}

/// A disk has no half sectors; a loader does not mind what follows a kernel.
fn whole_sectors(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(SECTOR), 0);
    bytes
}

/// Turns the lab host's marks into phases and steps.
fn show(mark: &Mark, ui: &mut Ui) {
    match mark {
        Mark::Host { stage, text } => match stage.as_str() {
            "assigned-all" => ui.phase("run"),
            "retry" | "fail" => ui.note(&format!("{stage}: {text}")),
            "command" => ui.note(&format!("$ {text}")),
            _ => ui.step(&format!("{stage} {text}")),
        },
        Mark::Guest(text) => ui.chatter(&format!("> {text}"), guest_fact(text).is_some()),
    }
}
