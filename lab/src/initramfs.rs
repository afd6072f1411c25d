//! Packs the two root file systems: the lab host's and the guest's.
//!
//! Both are busybox, kernel modules with their load lists, and an init script. What changes from run to run (the VMM,
//! the guest's kernel, the job) is not in here but in the folder shared with the lab host, so archives are made once.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::apt::Packages;
use crate::arch::Arch;
use crate::cpio::Archive;
use crate::modules::Modules;
use crate::paths::write_whole;
use crate::root::Entry;

const COMMON: &str = include_str!("scripts/common.sh");
const HOST_LIBRARY: &str = include_str!("scripts/host.sh");
const HOST_COMMAND: &str = include_str!("scripts/command.sh");
const HOST_CONTROL: &str = include_str!("scripts/control.sh");
const HOST_STRESS: &str = include_str!("scripts/stress.sh");
const HOST_WIRE: &str = include_str!("scripts/wire.sh");
const HOST_INIT: &str = include_str!("scripts/host-init.sh");
const BENCH_INIT: &str = include_str!("scripts/bench-guest.sh");
const GUEST_INIT: &str = include_str!("scripts/guest-init.sh");

/// Modules that the guest's script loads by these names.
const GUEST_MODULES: [&str; 10] = [
    "virtio_pci",
    "virtio-iommu",
    "nvme",
    "e1000e",
    "virtio_blk",
    "virtio-rng",
    "crc32c_generic",
    "ext4",
    "virtio_net",
    "virtio_console",
];

/// What goes into one archive.
struct Contents<'a> {
    name: &'a str,
    modules: Vec<&'a str>,
    scripts: Vec<(&'a str, &'a str)>,
}

/// The lab host's archive. A host kernel of one's own has all it needs built in: it gets no modules.
pub fn host(arch: Arch, packages: &Packages, with_modules: bool, folder: &Path) -> Result<PathBuf> {
    let mut modules = Vec::new();
    if with_modules {
        modules.extend(["9pnet_virtio", "9p", "vfio_iommu_type1", "vfio-pci", "tun"]);
        modules.extend(arch.host_modules());
    }
    let scripts = vec![
        ("init", HOST_INIT),
        ("lib/common.sh", COMMON),
        ("lib/host.sh", HOST_LIBRARY),
        ("lib/command.sh", HOST_COMMAND),
        ("lib/control.sh", HOST_CONTROL),
        ("lib/stress.sh", HOST_STRESS),
        ("lib/wire.sh", HOST_WIRE),
    ];
    pack(Contents { name: "host", modules, scripts }, packages, folder)
}

/// What guests of tests have beside [`guest`]: the kernel unpacks archives that follow one another. `rig` is a static
/// program; the modules are for a VFIO user inside the guest.
pub fn tools(packages: &Packages, with_modules: bool, rig: &Path) -> Result<Vec<u8>> {
    let mut archive = Archive::new(Vec::new());
    for folder in ["bin", "modules"] {
        archive.directory(folder)?;
    }
    let program = fs::read(rig).with_context(|| format!("reading {}", rig.display()))?;
    archive.file("bin/rig", &program, true)?;
    archive.file("bench-init", BENCH_INIT.as_bytes(), true)?;
    if with_modules {
        modules(&mut archive, packages, &["vfio_iommu_type1", "vfio-pci"])?;
    }
    Ok(archive.finish()?)
}

/// The guest's archive.
pub fn guest(packages: &Packages, with_modules: bool, folder: &Path) -> Result<PathBuf> {
    let modules = if with_modules { GUEST_MODULES.to_vec() } else { Vec::new() };
    let scripts = vec![("init", GUEST_INIT), ("lib/common.sh", COMMON)];
    pack(Contents { name: "guest", modules, scripts }, packages, folder)
}

fn pack(contents: Contents, packages: &Packages, folder: &Path) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    (&packages.release, &contents.modules, &contents.scripts, env!("CARGO_PKG_VERSION")).hash(&mut hasher);
    let path = folder.join(format!("{}-{:016x}.cpio", contents.name, hasher.finish()));
    if path.is_file() {
        return Ok(path);
    }
    write_whole(&path, &archive(&contents, packages)?)?;
    Ok(path)
}

fn archive(contents: &Contents, packages: &Packages) -> Result<Vec<u8>> {
    let busybox =
        fs::read(&packages.busybox).with_context(|| format!("reading {}", packages.busybox.display()))?;
    let mut archive = Archive::new(Vec::new());
    for folder in ["bin", "dev", "lib", "modules"] {
        archive.directory(folder)?;
    }
    archive.char_device("dev/console", 5, 1)?;
    archive.file("bin/busybox", &busybox, true)?;
    archive.symlink("bin/sh", "busybox")?;
    for (name, text) in &contents.scripts {
        archive.file(name, text.as_bytes(), *name == "init")?;
    }
    if !contents.modules.is_empty() {
        modules(&mut archive, packages, &contents.modules)?;
    }
    Ok(archive.finish()?)
}

fn modules(archive: &mut Archive<Vec<u8>>, packages: &Packages, wanted: &[&str]) -> Result<()> {
    for (name, bytes, executable) in module_files(packages, wanted)? {
        archive.file(&name, &bytes, executable)?;
    }
    Ok(())
}

/// Modules with all they need, and for each wanted one the order in which to load them.
fn module_files(packages: &Packages, wanted: &[&str]) -> Result<Vec<Entry>> {
    let index = Modules::index(&packages.modules)?;
    let mut files = Vec::new();
    for name in wanted {
        let order: Vec<_> = index.closure(&[name])?.into_iter().map(|module| module.name).collect();
        files.push((format!("modules/{name}.load"), order.join("\n").into_bytes(), false));
    }
    let modules = index.closure(wanted)?.into_iter();
    files.extend(modules.map(|module| (format!("modules/{}.ko", module.name), module.bytes, false)));
    Ok(files)
}

/// The guest's files for a disk: what its archive holds, without what is loaded before the disk is there.
pub fn guest_files(packages: &Packages, with_modules: bool) -> Result<Vec<Entry>> {
    let busybox =
        fs::read(&packages.busybox).with_context(|| format!("reading {}", packages.busybox.display()))?;
    let mut files = vec![
        ("bin/busybox".to_owned(), busybox, true),
        ("init".to_owned(), GUEST_INIT.into(), true),
        ("lib/common.sh".to_owned(), COMMON.into(), false),
    ];
    if with_modules {
        files.extend(module_files(packages, &["nvme", "virtio-rng"])?);
    }
    Ok(files)
}
