//! The disk image whose contents are known: pseudo-random bytes from a fixed seed, then a scratch area of zeros.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::exec;
use crate::paths::write_whole;

/// Size of the pattern in MiB.
pub const PATTERN_MIB: usize = 32;
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
    let digest_path = path.with_extension("sha256");
    if !(path.is_file() && digest_path.is_file() && cache.join(PATTERN).is_file()) {
        let mut image = pattern(PATTERN_MIB * MIB);
        let bare = cache.join(PATTERN);
        fs::write(&bare, &image).with_context(|| format!("writing {}", bare.display()))?;
        let digest = exec::answer(Command::new("sha256sum").arg(&bare))?;
        image.resize((PATTERN_MIB + SCRATCH_MIB) * MIB, 0);
        write_whole(&path, &image)?;
        write_whole(&digest_path, digest.split(' ').next().unwrap_or_default().as_bytes())?;
    }
    let digest =
        fs::read_to_string(&digest_path).with_context(|| format!("reading {}", digest_path.display()))?;
    Ok(Disk { path, digest })
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
