//! An access to a device that a monitor cannot take apart, for tests inside guests: feature `awkward`, which the product does
//! not use.

use std::arch::asm;
use std::io;

use crate::MappedRegion;

/// Bytes that the access reads.
const LEN: usize = 16;

impl MappedRegion {
    /// Reads 16 bytes at `offset` by one instruction: a pair of registers on aarch64, a sum of vectors on x86_64. It comes back
    /// where the region is memory or a device that the processor reaches by itself.
    ///
    /// # Errors
    /// `InvalidInput`: they are not all inside the mapping, or not aligned.
    pub fn read_awkwardly(&self, offset: usize) -> io::Result<()> {
        let inside = offset.checked_add(LEN).is_some_and(|end| end <= self.len());
        if !inside || !offset.is_multiple_of(LEN) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let place = self.pointer().wrapping_add(offset);
        // SAFETY: reads 16 aligned bytes inside the mapping, into registers that it names.
        #[cfg(target_arch = "aarch64")]
        unsafe {
            asm!("ldp {0}, {1}, [{2}]", out(reg) _, out(reg) _, in(reg) place, options(nostack, readonly));
        }
        // SAFETY: reads 16 aligned bytes inside the mapping, into a register that it names.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            asm!("paddq {0}, [{1}]", out(xmm_reg) _, in(reg) place, options(nostack, readonly));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
