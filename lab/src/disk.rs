//! The disk image whose contents are known: pseudo-random bytes from a fixed seed, then a scratch area of zeros.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::exec;
use crate::paths::write_whole;

/// Size of the pattern in MiB.
pub const PATTERN_MIB: usize = 16;
/// Size of the scratch area behind the pattern in MiB.
const SCRATCH_MIB: usize = 2;
const SEED: u64 = 0x6d69_7876_6d20_6c61;
const MIB: usize = 1 << 20;

/// The pattern by itself.
const PATTERN: &str = "pattern.raw";

/// A disk image and the digest of its pattern.
pub struct Disk {
    /// The image file.
    pub path: PathBuf,
    /// SHA-256 of the first [`PATTERN_MIB`] MiB, in hexadecimal.
    pub digest: String,
    /// SHA-256 of its first MiB.
    pub first_mib: String,
}

impl Disk {
    /// A file with the pattern alone.
    pub fn pattern(&self) -> PathBuf {
        self.path.with_file_name(PATTERN)
    }
}

/// Returns the image in `cache`, made first when it is not there yet.
pub fn disk(cache: &Path) -> Result<Disk> {
    let path = cache.join(format!("pattern-{PATTERN_MIB}-{SCRATCH_MIB}.img"));
    let digests = path.with_extension("sha256");
    let bare = cache.join(PATTERN);
    let complete = || fs::read_to_string(&digests).is_ok_and(|text| text.lines().count() == 2);
    if !(path.is_file() && bare.is_file() && complete()) {
        let mut image = pattern(PATTERN_MIB * MIB);
        let first_mib = digest(&image[..MIB], &bare)?;
        let lines = format!("{}\n{first_mib}", digest(&image, &bare)?);
        image.resize((PATTERN_MIB + SCRATCH_MIB) * MIB, 0);
        write_whole(&path, &image)?;
        write_whole(&digests, lines.as_bytes())?;
    }
    let text = fs::read_to_string(&digests).with_context(|| format!("reading {}", digests.display()))?;
    let (digest, first_mib) = text.split_once('\n').context("a digest of the disk is missing")?;
    Ok(Disk { path, digest: digest.to_owned(), first_mib: first_mib.to_owned() })
}

/// SHA-256 in hexadecimal; the bytes stay in `file`.
fn digest(bytes: &[u8], file: &Path) -> Result<String> {
    fs::write(file, bytes).with_context(|| format!("writing {}", file.display()))?;
    let answer = exec::answer(Command::new("sha256sum").arg(file))?;
    Ok(answer.split(' ').next().unwrap_or_default().to_owned())
}

/// `length` bytes that repeat nowhere, so that a page read from the wrong place changes the digest.
fn pattern(length: usize) -> Vec<u8> {
    let mut state = SEED;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[cfg(test)]
mod tests;
