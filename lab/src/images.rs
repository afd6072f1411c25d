//! The data disks that guests get: one raw, one qcow2, both with the first MiB of the pattern, and holes behind it.
//!
//! A guest is given fresh copies in the lab host's memory; what it made of them is among its results.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use imago::file::File as Storage;
use imago::qcow2::Qcow2;
use imago::{DenyImplicitOpenGate, FormatAccess, FormatCreateBuilder, FormatDriverBuilder};

use crate::disk::Disk;

/// Where the lab host has them while a guest runs.
pub const RAW: &str = "/guest/data.img";
/// Likewise.
pub const QCOW2: &str = "/guest/data.qcow2";
/// Bytes of each disk.
const BYTES: u64 = 16 * MIB;
/// Where a guest puts a copy of the first MiB.
pub const COPY: u64 = 8 * MIB;
const MIB: u64 = 1 << 20;

/// Makes both in `folder`.
pub fn make(folder: &Path, disk: &Disk) -> Result<()> {
    let first = first_mib(disk)?;
    let raw = fresh(&folder.join("data.img"))?;
    raw.set_len(BYTES).and_then(|()| raw.write_all_at(&first, 0)).context("writing a raw disk")?;
    let file = fresh(&folder.join("data.qcow2"))?;
    let builder = Qcow2::<Storage>::create_builder(Storage::try_from(file.try_clone()?)?).size(BYTES);
    builder.create().context("making a qcow2 image")?;
    let access = open(file, true)?;
    access.write(first.as_slice(), 0).and_then(|()| access.flush()).context("writing a qcow2 image")
}

/// What a guest must have left in the images in `folder`: the pattern, and a copy of it where it was to go.
pub fn failures(folder: &Path, disk: &Disk) -> Vec<String> {
    let look = |name: &str, read: &dyn Fn(File, u64) -> Result<Vec<u8>>| -> Result<()> {
        let first = first_mib(disk)?;
        for offset in [0, COPY] {
            let file = File::open(folder.join(name)).with_context(|| format!("opening {name}"))?;
            if read(file, offset)? != first {
                bail!("{name} does not hold the pattern at {offset:#x} after the guest's end");
            }
        }
        Ok(())
    };
    let raw = look("data.img", &|file, offset| {
        let mut bytes = vec![0; MIB as usize];
        file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    });
    let qcow2 = look("data.qcow2", &|file, offset| {
        let mut bytes = vec![0; MIB as usize];
        open(file, false)?.read(bytes.as_mut_slice(), offset)?;
        Ok(bytes)
    });
    [raw, qcow2].into_iter().filter_map(Result::err).map(|error| format!("{error:#}")).collect()
}

fn first_mib(disk: &Disk) -> Result<Vec<u8>> {
    let mut bytes = vec![0; MIB as usize];
    let path = disk.pattern();
    let mut file = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
    file.read_exact(&mut bytes).with_context(|| format!("reading {}", path.display()))?;
    Ok(bytes)
}

fn fresh(path: &Path) -> Result<File> {
    let _ = fs::remove_file(path);
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path);
    file.with_context(|| format!("making {}", path.display()))
}

fn open(file: File, write: bool) -> Result<FormatAccess<Storage>> {
    let builder = Qcow2::<Storage>::builder(Storage::try_from(file)?).write(write);
    Ok(FormatAccess::new(builder.open(DenyImplicitOpenGate::default()).context("opening a qcow2 image")?))
}

#[cfg(test)]
mod tests;
