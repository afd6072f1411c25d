//! What is an emulated device's own: a disk's image, a card's tap device, the ends of a console.

use std::fs::{File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

use devices::virtio::NET_HEADER;
use rustix::fs::{FlockOperation, OFlags, flock};

use crate::config::{ConsoleConfig, DiskConfig, Emulated, NetConfig};
use crate::errors::Refusal;
use crate::process::ImageFormat;

/// Opens it; in the order in which the device's process takes it.
///
/// # Errors
/// What cannot be opened, and what to do.
pub(super) fn open(device: &Emulated) -> Result<Vec<OwnedFd>, Refusal> {
    match device {
        Emulated::Rng => Ok(Vec::new()),
        Emulated::Disk(disk) => open_disk(disk).map(|file| vec![file.into()]),
        Emulated::Net(net) => open_tap(net),
        Emulated::Console(console) => open_console(console),
    }
}

fn open_tap(net: &NetConfig) -> Result<Vec<OwnedFd>, Refusal> {
    base::open_tap(&net.tap, NET_HEADER, net.pairs).map_err(|error| {
        let remedy = "Without a network, leave --net out.";
        Refusal::new("--net", format!("cannot have tap-name={}", net.tap), error.to_string(), remedy)
    })
}

fn open_console(console: &ConsoleConfig) -> Result<Vec<OwnedFd>, Refusal> {
    // A FIFO or terminal whose reader is slow must not hold the guest up, and one without a writer is not at its end.
    let open = |path: &Path, options: &mut OpenOptions| {
        let options = options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32);
        options.open(path).map_err(|error| {
            let remedy = "Name a file, FIFO or terminal that this user can open.";
            Refusal::new(
                format!("the console {}", path.display()),
                "cannot be opened",
                error.to_string(),
                remedy,
            )
        })
    };
    let special = console.output.metadata().is_ok_and(|meta| !meta.is_file());
    // A FIFO opened for writing alone wants its reader to be there first.
    let mut how = File::options();
    let output = open(&console.output, how.write(true).read(special).create(!special).truncate(!special))?;
    let mut own = vec![output.into()];
    if let Some(path) = &console.input {
        let input = open(path, File::options().read(true).write(true))?;
        if input.metadata().is_ok_and(|meta| meta.is_file()) {
            let why = "it is a regular file, and nobody types into one";
            let remedy = "Name a FIFO (mkfifo) or a terminal.";
            return Err(Refusal::new(
                format!("the console {}", path.display()),
                "cannot be input",
                why,
                remedy,
            ));
        }
        own.push(input.into());
    }
    Ok(own)
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
