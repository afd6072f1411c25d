//! A report of a fault as a driver reads it from the wire.

use anyhow::{Context, Result};

/// Flags of a report: the access was a read, or a write, and its address is known.
const READ: u32 = 1;
const WRITE: u32 = 2;
const ADDRESS: u32 = 1 << 8;

/// Reasons of a report.
const DOMAIN: u8 = 1;
const MAPPING: u8 = 2;

/// What was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub endpoint: u32,
    pub address: u64,
    /// The access was a write to memory; else a read of it.
    pub write: bool,
}

impl Fault {
    /// Reads a report; one of another kind than an access that no mapping allows is an error.
    pub fn decode(bytes: &[u8]) -> Result<Fault> {
        let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let told = || format!("a report that cannot be understood: {bytes:x?}");
        let (flags, endpoint) = word(4).zip(word(8)).with_context(told)?;
        let (low, high) = word(16).zip(word(20)).with_context(told)?;
        let reason = *bytes.first().with_context(told)?;
        let write = match flags {
            flags if flags == READ | ADDRESS => Some(false),
            flags if flags == WRITE | ADDRESS => Some(true),
            _ => None,
        };
        let write = write.filter(|_| reason == MAPPING || reason == DOMAIN).with_context(told)?;
        Ok(Fault { endpoint, address: u64::from(high) << 32 | u64::from(low), write })
    }
}

#[cfg(test)]
mod tests;
