//! The memory that probes aim at, and a copy that says what must be in it.
//!
//! Invariant: every sector holds bytes that are nowhere else and never on the disk's known blocks, so what turns up says where
//! it came from, and any write that was not foreseen shows.

use anyhow::{Context, Result, bail, ensure};
use base::GuestMem;
use data_model::Span;
use vm_memory::{Bytes, GuestAddress};

use crate::random::Random;

/// Memory with a copy.
pub struct Memory<'a> {
    memory: &'a GuestMem,
    span: Span,
    expected: Vec<u8>,
    found: Vec<u8>,
    sector: usize,
}

impl<'a> Memory<'a> {
    /// The bytes `span` of `memory`, filled at random in sectors of `sector` bytes.
    pub fn new(memory: &'a GuestMem, span: Span, sector: u64, random: &mut Random) -> Result<Memory<'a>> {
        let len = span.len().and_then(|len| usize::try_from(len).ok()).context("too much memory")?;
        let expected = random.bytes(len);
        memory.write_slice(&expected, GuestAddress(span.start()))?;
        Ok(Memory { memory, span, found: expected.clone(), expected, sector: sector as usize })
    }

    /// What must be in the sector at `phys`.
    pub fn sector(&self, phys: u64) -> Result<&[u8]> {
        let at = self.offset(phys)?;
        Ok(&self.expected[at..at + self.sector])
    }

    /// Notes that the device has written the sector at `phys`.
    pub fn foresee(&mut self, phys: u64, data: &[u8]) -> Result<()> {
        let at = self.offset(phys)?;
        self.expected[at..at + self.sector].copy_from_slice(data);
        Ok(())
    }

    /// Fills the sector at `phys` anew.
    pub fn renew(&mut self, phys: u64, random: &mut Random) -> Result<()> {
        let fresh = random.bytes(self.sector);
        self.memory.write_slice(&fresh, GuestAddress(phys))?;
        self.foresee(phys, &fresh)
    }

    /// Looks at every byte; an error names the first that is not what it must be.
    pub fn check(&mut self) -> Result<()> {
        self.memory.read_slice(&mut self.found, GuestAddress(self.span.start()))?;
        if self.found == self.expected {
            return Ok(());
        }
        let differs = self.found.iter().zip(&self.expected).position(|(found, expected)| found != expected);
        bail!("memory at {:#x} is not what it must be", self.span.start() + differs.unwrap_or(0) as u64)
    }

    /// Where the memory holds exactly these bytes, if it does.
    pub fn find(&self, data: &[u8]) -> Option<u64> {
        let place = self.expected.chunks_exact(self.sector).position(|sector| sector == data)?;
        Some(self.span.start() + (place * self.sector) as u64)
    }

    fn offset(&self, phys: u64) -> Result<usize> {
        let at = self.span.offset_of(phys).and_then(|at| usize::try_from(at).ok());
        let at = at.with_context(|| format!("{phys:#x} is not among {}", self.span))?;
        ensure!(
            at % self.sector == 0 && at + self.sector <= self.expected.len(),
            "{phys:#x} starts no sector"
        );
        Ok(at)
    }
}

#[cfg(test)]
mod tests;
