//! A kernel for aarch64 as it is in a file: the plain `Image`, the same compressed by gzip, or inside an EFI program that
//! unpacks itself (zboot), which has to be unpacked here because there is no firmware.

use std::io::{self, Read};

use flate2::read::GzDecoder;

use crate::LoadError;

/// The most a kernel may have unpacked: far more than any has, little enough to hold in memory.
pub(super) const MOST: u64 = 256 << 20;

const HEADER: usize = 64;
const MAGIC: &[u8] = b"ARM\x64";
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZBOOT: &[u8] = b"zimg";
const OLD_TEXT_OFFSET: u64 = 0x8_0000;
const BIG_ENDIAN: u64 = 1;
const KNOWN: &str =
    "a Linux Image for aarch64, plain, compressed by gzip, or as an EFI zboot image with gzip";

/// A plain kernel.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Image {
    /// What to write to memory.
    pub(super) bytes: Vec<u8>,
    /// Where, from a 2 MiB boundary on.
    pub(super) text_offset: u64,
    /// Bytes it needs from there on until it knows its memory.
    pub(super) footprint: u64,
}

impl Image {
    /// Unpacks and checks the contents of a kernel file.
    pub(super) fn read(file: Vec<u8>) -> Result<Image, LoadError> {
        Image::read_within(file, MOST)
    }

    /// The same with another limit for the unpacked size.
    fn read_within(file: Vec<u8>, most: u64) -> Result<Image, LoadError> {
        if let Some(payload) = zboot_payload(&file)? {
            return Image::parse(gunzip(payload, most)?);
        }
        if file.starts_with(GZIP) {
            return Image::parse(gunzip(&file, most)?);
        }
        Image::parse(file)
    }

    fn parse(bytes: Vec<u8>) -> Result<Image, LoadError> {
        let magic = bytes.get(56..60);
        if bytes.len() < HEADER || magic != Some(MAGIC) {
            return Err(LoadError::NotAKernel { found: guess(&bytes), known: KNOWN });
        }
        if quad(&bytes, 24) & BIG_ENDIAN != 0 {
            return Err(LoadError::KernelRefused("it is big-endian; build it little-endian".into()));
        }
        let size = quad(&bytes, 16);
        // Kernels before 3.17 left their size out, and their offset then has to be guessed.
        let text_offset = if size == 0 { OLD_TEXT_OFFSET } else { quad(&bytes, 8) };
        let footprint = size.max(bytes.len() as u64);
        Ok(Image { bytes, text_offset, footprint })
    }
}

/// The compressed kernel inside a zboot image; `None` when the file is none.
fn zboot_payload(file: &[u8]) -> Result<Option<&[u8]>, LoadError> {
    if !file.starts_with(b"MZ") || file.get(4..8) != Some(ZBOOT) {
        return Ok(None);
    }
    if file.get(24..29) != Some(b"gzip\0") {
        return Err(LoadError::NotAKernel {
            found: "an EFI zboot image not compressed by gzip",
            known: KNOWN,
        });
    }
    let (offset, size) = (long(file, 8) as usize, long(file, 12) as usize);
    let payload = offset.checked_add(size).and_then(|end| file.get(offset..end));
    payload.map(Some).ok_or_else(|| LoadError::KernelRefused("the zboot image is cut off".into()))
}

fn gunzip(packed: &[u8], most: u64) -> Result<Vec<u8>, LoadError> {
    let mut bytes = Vec::new();
    let unpacked = GzDecoder::new(packed).take(most.saturating_add(1)).read_to_end(&mut bytes);
    unpacked
        .map_err(|e| LoadError::KernelUnreadable(io::Error::new(e.kind(), format!("unpacking it: {e}"))))?;
    if bytes.len() as u64 > most {
        return Err(LoadError::KernelRefused(format!("it unpacks to more than {most} bytes")));
    }
    Ok(bytes)
}

/// What a file that is no aarch64 kernel looks like.
fn guess(bytes: &[u8]) -> &'static str {
    if bytes.get(0x202..0x206) == Some(b"HdrS") {
        "a bzImage for x86"
    } else if bytes.starts_with(b"\x7fELF") {
        "an ELF file (take arch/arm64/boot/Image, not vmlinux)"
    } else if bytes.is_empty() {
        "empty"
    } else {
        "of an unknown format"
    }
}

fn long(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default())
}

fn quad(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default())
}

#[cfg(test)]
pub(super) mod tests;
