//! The files a guest boots from and keeps its disks in, opened before anything else happens.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;

use arch::ViommuShape;
use rustix::fs::{FlockOperation, flock};

use crate::config::{Config, DiskConfig, Emulated};
use crate::errors::Refusal;
use crate::plan::Plan;
use crate::process::ImageFormat;

/// Kernel, initial RAM disk and disks.
pub struct BootFiles {
    /// The kernel.
    pub kernel: File,
    /// The initial RAM disk.
    pub initrd: Option<File>,
    /// Images of disks, in the configuration's order.
    pub disks: Vec<File>,
}

impl BootFiles {
    /// Opens the files that the configuration names.
    ///
    /// # Errors
    /// One refusal for each file that cannot be read.
    pub fn open(config: &Config) -> Result<BootFiles, Vec<Refusal>> {
        let kernel = open("the kernel", &config.kernel);
        let initrd = config.initrd.as_deref().map(|path| open("the initial RAM disk", path)).transpose();
        let disks = config.assignment.emulated.iter().filter_map(|device| match &device.kind {
            Emulated::Disk(disk) => Some(open_disk(disk)),
            Emulated::Rng => None,
        });
        let (disks, refused): (Vec<_>, Vec<_>) = disks.partition(Result::is_ok);
        let disks = disks.into_iter().flatten().collect();
        match (kernel, initrd) {
            (Ok(kernel), Ok(initrd)) if refused.is_empty() => Ok(BootFiles { kernel, initrd, disks }),
            (kernel, initrd) => {
                let refused = refused.into_iter().filter_map(Result::err);
                Err(kernel.err().into_iter().chain(initrd.err()).chain(refused).collect())
            }
        }
    }
}

impl BootFiles {
    /// The files as a loader takes them.
    pub(crate) fn borrow<'a>(&'a mut self, cmdline: &'a str) -> arch::BootFiles<'a> {
        arch::BootFiles { kernel: &mut self.kernel, initrd: self.initrd.as_mut(), cmdline }
    }
}

/// The virtual IOMMU and its endpoints as tables describe them.
pub(crate) fn viommu_shape(plan: &Plan) -> Option<ViommuShape> {
    let assigned = plan.devices.iter().filter(|device| device.behind_viommu).map(|device| device.guest);
    let emulated = plan.emulated.iter().filter(|device| device.behind_viommu).map(|device| device.at);
    let endpoints = assigned.chain(emulated);
    plan.viommu.as_ref().map(|viommu| ViommuShape { iommu: viommu.at, endpoints: endpoints.collect() })
}

fn open(what: &str, path: &Path) -> Result<File, Refusal> {
    let refused = |why: String| {
        let remedy = "Name a file that this user can read.";
        Refusal::new(format!("{what} {}", path.display()), "cannot be read", why, remedy)
    };
    let file = File::open(path).map_err(|error| refused(error.to_string()))?;
    let meta = file.metadata().map_err(|error| refused(error.to_string()))?;
    if !meta.is_file() {
        return Err(refused("it is not a regular file".to_owned()));
    }
    Ok(file)
}

/// Opens a disk's image.
fn open_disk(disk: &DiskConfig) -> Result<File, Refusal> {
    let DiskConfig { path, format, options } = disk;
    let refused = |what: &str, why: String, remedy: &str| {
        Refusal::new(format!("the disk {}", path.display()), what, why, remedy)
    };
    let unusable = |error: std::io::Error| {
        let remedy =
            "Name a file that this user can read and write, or say ro for a disk that the guest only reads.";
        refused("cannot be opened", error.to_string(), remedy)
    };
    let file = OpenOptions::new().read(true).write(!options.read_only).open(path).map_err(unusable)?;
    let kind = file.metadata().map_err(unusable)?.file_type();
    if !kind.is_file() && !kind.is_block_device() {
        let remedy = "Name a file that holds the disk's content.";
        return Err(refused("cannot be used", "it is neither a file nor a block device".to_owned(), remedy));
    }
    let mut magic = [0; 4];
    let layered = file.read_exact_at(&mut magic, 0).is_ok() && &magic == b"QFI\xfb";
    let (why, remedy) = match (format, layered) {
        (ImageFormat::Raw, true) => ("it looks like a qcow2 image", "If it is one, say format=qcow2."),
        (ImageFormat::Qcow2, false) => ("it is no qcow2 image", "Leave format= out if it is a raw one."),
        _ => return lock(file, disk),
    };
    Err(refused("cannot be used", why.to_owned(), remedy))
}

/// Keeps others from writing an image at the same time: two guests on one disk destroy it.
fn lock(file: File, disk: &DiskConfig) -> Result<File, Refusal> {
    let DiskConfig { path, options, .. } = disk;
    let lock = if options.read_only {
        FlockOperation::NonBlockingLockShared
    } else {
        FlockOperation::NonBlockingLockExclusive
    };
    match flock(&file, lock) {
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let why = "another process has locked it, most likely another machine";
            let remedy = "Stop that one first, or say ro for both.";
            Err(Refusal::new(format!("the disk {}", path.display()), "is in use", why, remedy))
        }
        // A file system without locks is no reason to go without the disk.
        _ => Ok(file),
    }
}

#[cfg(test)]
mod tests;
