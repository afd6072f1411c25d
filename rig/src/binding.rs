//! Which driver of this kernel holds a PCI function, and changing that.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// The class of NVMe controllers.
const NVME_CLASS: &str = "0x010802";
/// The class of Ethernet controllers.
const ETHERNET_CLASS: &str = "0x020000";
const DEVICES: &str = "/sys/bus/pci/devices";
/// No driver of a kernel has this name.
const NOBODY: &str = "rig";
/// A driver that has not brought its device up by then has failed.
const LIMIT: Duration = Duration::from_secs(90);
const AGAIN: Duration = Duration::from_millis(20);

/// The PCI address of the first NVMe controller there is.
pub fn find_nvme() -> Result<String> {
    find(NVME_CLASS).context("there is no NVMe controller")
}

/// The PCI address of the first Ethernet controller there is.
pub fn find_network_card() -> Result<String> {
    find(ETHERNET_CLASS).context("there is no network card")
}

fn find(class: &str) -> Result<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(DEVICES).with_context(|| format!("reading {DEVICES}"))? {
        let path = entry?.path();
        if fs::read_to_string(path.join("class")).is_ok_and(|there| there.trim() == class) {
            found.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    found.sort();
    found.into_iter().next().context("no function has that class")
}

/// Gives the function at `address` to `driver`, taking it from the one that has it.
pub fn bind(address: &str, driver: &str) -> Result<()> {
    reserve(&Path::new(DEVICES).join(address), driver)?;
    put(Path::new("/sys/bus/pci/drivers_probe"), address)?;
    until(|| driver_of(address).is_some_and(|name| name == driver))
        .with_context(|| format!("{address} did not go to {driver}; its driver is {:?}", driver_of(address)))
}

/// Takes the function in `folder` of sysfs from every driver of the kernel, for this program has it.
pub fn take(folder: &Path) -> Result<()> {
    // From later ones too: a driver that waits for the device's IOMMU does without it ten seconds after the kernel's start. It
    // claims the BARs then, and the kernel takes them from under a program that has them mapped, which ends by a bus error.
    reserve(folder, NOBODY)
}

/// Only `driver` may have the function in `folder` from here on; the one that has it lets it go.
fn reserve(folder: &Path, driver: &str) -> Result<()> {
    put(&folder.join("driver_override"), driver)?;
    if folder.join("driver").exists() {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        put(&folder.join("driver/unbind"), &name)?;
    }
    Ok(())
}

/// The driver that has the function at `address`.
pub fn driver_of(address: &str) -> Option<String> {
    let link = fs::read_link(Path::new(DEVICES).join(address).join("driver")).ok()?;
    Some(link.file_name()?.to_string_lossy().into_owned())
}

/// The disk of the NVMe controller at `address`, once the kernel's driver has brought it up.
pub fn disk_of(address: &str) -> Result<PathBuf> {
    let folder = Path::new(DEVICES).join(address).join("nvme");
    let mut disk = None;
    until(|| {
        disk = named(&folder, |name| name.starts_with("nvme"))
            .and_then(|controller| named(&controller, |name| name.starts_with("nvme")))
            .and_then(|path| Some(Path::new("/dev").join(node_of(&path.file_name()?.to_string_lossy()))))
            .filter(|node| node.exists());
        disk.is_some()
    })
    .with_context(|| format!("no disk came up below {}", folder.display()))?;
    disk.context("no disk")
}

/// The node of a namespace. Where a controller may be one of several of its disk, the kernel lists the path to the disk through
/// this one, `nvme0c1n2`, and the node is that of the disk, `nvme0n2`.
fn node_of(namespace: &str) -> String {
    let path = namespace.split_once('c').zip(namespace.rsplit_once('n'));
    match path {
        Some(((disk, _), (_, number))) => format!("{disk}n{number}"),
        None => namespace.to_owned(),
    }
}

/// The first entry of a folder whose name fits.
fn named(folder: &Path, fits: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    entries.filter(|path| path.file_name().is_some_and(|name| fits(&name.to_string_lossy()))).min()
}

fn put(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("writing {text:?} to {}", file.display()))
}

/// Looks again and again, because drivers bring devices up in their own time.
fn until(mut done: impl FnMut() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !done() {
        if begun.elapsed() > LIMIT {
            bail!("nothing happened for {LIMIT:?}");
        }
        std::thread::sleep(AGAIN);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
