//! What is an emulated device's own: a disk's image, a card's tap device, the ends of a console.

use std::fs::{File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

use devices::virtio::NET_HEADER;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::pipe::PipeFlags;

use crate::config::{ConsoleConfig, ConsoleInput, ConsoleOutput, DiskConfig, Emulated, NetConfig};
use crate::errors::Refusal;
use crate::process::ImageFormat;

/// Descriptors for a device, and main's side of those that lead to main.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// In the order in which the device's process takes them.
    pub fds: Vec<OwnedFd>,
    /// What the device has for the terminal comes here; does not block.
    pub printed: Option<OwnedFd>,
    /// What is typed goes here; does not block.
    pub typed: Option<OwnedFd>,
    /// A regular file that the device writes to from its beginning; it still has what an earlier machine wrote.
    pub log: Option<File>,
}

impl From<Vec<OwnedFd>> for Own {
    fn from(fds: Vec<OwnedFd>) -> Own {
        Own { fds, ..Own::default() }
    }
}

/// Opens it.
///
/// # Errors
/// What cannot be opened, and what to do.
pub(super) fn open(device: &Emulated) -> Result<Own, Refusal> {
    match device {
        Emulated::Rng => Ok(Own::default()),
        Emulated::Disk(disk) => open_disk(disk).map(|file| vec![file.into()].into()),
        Emulated::Net(net) => open_tap(net).map(Own::from),
        Emulated::Console(console) => open_console(console),
    }
}

fn open_tap(net: &NetConfig) -> Result<Vec<OwnedFd>, Refusal> {
    base::open_tap(&net.tap, NET_HEADER, net.pairs).map_err(|error| {
        let remedy = "Without a network, leave --net out.";
        Refusal::new("--net", format!("cannot have tap-name={}", net.tap), error.to_string(), remedy)
    })
}

fn open_console(console: &ConsoleConfig) -> Result<Own, Refusal> {
    let mut own = Own::default();
    own.fds.push(match &console.output {
        ConsoleOutput::File(path) => {
            let (output, log) = open_output(path)?;
            own.log = log;
            output
        }
        ConsoleOutput::Stdout => {
            let (ours, theirs) = pipe()?;
            own.printed = Some(ours);
            theirs
        }
    });
    match &console.input {
        ConsoleInput::None => {}
        ConsoleInput::File(path) => own.fds.push(open_input(path)?),
        ConsoleInput::Stdin => {
            let (theirs, ours) = pipe()?;
            own.typed = Some(ours);
            own.fds.push(theirs);
        }
    }
    Ok(own)
}

/// A way between this process and a device's: the end to read from and the one to write to. A device process never has the
/// terminal itself.
fn pipe() -> Result<(OwnedFd, OwnedFd), Refusal> {
    rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(|errno| {
        let remedy = "Raise the limit on open files.";
        Refusal::new("--serial", "cannot have the terminal", format!("pipe2: {errno}"), remedy)
    })
}

/// A console's file, FIFO or terminal.
fn open_end(path: &Path, options: &mut OpenOptions) -> Result<File, Refusal> {
    // A FIFO or terminal whose reader is slow must not hold the guest up, and one without a writer is not at its end.
    let options = options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32);
    options.open(path).map_err(|error| {
        let remedy = "Name a file, FIFO or terminal that this user can open.";
        Refusal::new(format!("the console {}", path.display()), "cannot be opened", error.to_string(), remedy)
    })
}

/// What a console writes to; a regular file also as what is to be emptied. Not yet: it may be the log of a machine that runs, and
/// this start may still be refused.
fn open_output(path: &Path) -> Result<(OwnedFd, Option<File>), Refusal> {
    let special = path.metadata().is_ok_and(|meta| !meta.is_file());
    // A FIFO opened for writing alone wants its reader to be there first.
    let output = open_end(path, File::options().write(true).read(special).create(!special))?;
    let log = (!special).then(|| output.try_clone()).transpose().map_err(|error| {
        let remedy = "Raise the limit on open files.";
        Refusal::new(format!("the console {}", path.display()), "cannot be opened", error.to_string(), remedy)
    })?;
    Ok((output.into(), log))
}

fn open_input(path: &Path) -> Result<OwnedFd, Refusal> {
    let input = open_end(path, File::options().read(true).write(true))?;
    if input.metadata().is_ok_and(|meta| meta.is_file()) {
        let why = "it is a regular file, and nobody types into one";
        let remedy = "Name a FIFO (mkfifo) or a terminal.";
        return Err(Refusal::new(format!("the console {}", path.display()), "cannot be input", why, remedy));
    }
    Ok(input.into())
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
