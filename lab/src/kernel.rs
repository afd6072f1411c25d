//! The kernel that guests boot, unpacked: under emulation a guest spends more time unpacking its kernel than with all else.
//!
//! An x86 boot image carries an ELF file, packed, whose place its header tells. What cannot be unpacked here is booted as
//! it is. Arm's images are not packed.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::paths::write_whole;

/// "HdrS" in the header of an x86 boot image.
const MAGIC: (usize, &[u8]) = (0x202, b"HdrS");
/// Sectors of the real-mode part, one byte.
const SECTORS: usize = 0x1f1;
/// Where the packed kernel lies in the rest, and how long it is: 4 bytes each.
const PAYLOAD: (usize, usize) = (0x248, 0x24c);

/// How a payload begins, what unpacks it, and whether its unpacked size follows in 4 bytes that are no part of it.
const PACKERS: [(&[u8], &str, bool); 3] =
    [(b"\x28\xb5\x2f\xfd", "zstd", true), (b"\xfd7zXZ", "xz", true), (b"\x1f\x8b", "gzip", false)];

/// The kernel inside `image`, unpacked into `folder` once; `image` itself when there is none.
pub fn unpacked(image: &Path, folder: &Path) -> Result<PathBuf> {
    let name = image.file_name().unwrap_or_default().to_string_lossy();
    let path = folder.join(format!("{name}.elf"));
    if path.is_file() {
        return Ok(path);
    }
    let bytes = fs::read(image).with_context(|| format!("reading {}", image.display()))?;
    let Some((program, packed)) = payload(&bytes) else { return Ok(image.to_path_buf()) };
    let kernel = unpack(program, packed).with_context(|| format!("unpacking {}", image.display()))?;
    if !kernel.starts_with(b"\x7fELF") {
        return Ok(image.to_path_buf());
    }
    write_whole(&path, &kernel)?;
    Ok(path)
}

/// What unpacks the payload of an x86 boot image, and the payload.
fn payload(image: &[u8]) -> Option<(&'static str, &[u8])> {
    if image.get(MAGIC.0..)?.get(..MAGIC.1.len())? != MAGIC.1 {
        return None;
    }
    let number = |at: usize| Some(u32::from_le_bytes(image.get(at..at + 4)?.try_into().ok()?) as usize);
    let start = (usize::from(*image.get(SECTORS)?) + 1) * 512 + number(PAYLOAD.0)?;
    let payload = image.get(start..)?.get(..number(PAYLOAD.1)?)?;
    let (_, program, sized) = PACKERS.iter().find(|(begin, ..)| payload.starts_with(begin))?;
    let end = if *sized { payload.len().checked_sub(4)? } else { payload.len() };
    Some((program, &payload[..end]))
}

fn unpack(program: &str, packed: &[u8]) -> Result<Vec<u8>> {
    let mut command = Command::new(program);
    command.arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("starting {program}"))?;
    let mut input = child.stdin.take().context("no way in")?;
    let output = std::thread::scope(|scope| {
        // A program that ends early says why itself.
        scope.spawn(move || drop(input.write_all(packed)));
        child.wait_with_output()
    })?;
    if !output.status.success() {
        bail!("{program} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests;
