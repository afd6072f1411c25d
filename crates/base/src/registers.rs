//! Access to a mapping as to a device's registers: whole words, in the order of the program, never guessed or repeated.
//!
//! Invariant: every access lies inside the mapping and is aligned to its width.

use std::io;

use crate::MappedRegion;

/// A word that registers hold: 1, 2, 4 or 8 bytes, little-endian.
pub trait Word: Copy + sealed::Sealed {
    /// From the device's byte order to the processor's, and back.
    #[must_use]
    fn swapped(self) -> Self;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! words {
    ($($word:ty),*) => {$(
        impl sealed::Sealed for $word {}
        impl Word for $word {
            fn swapped(self) -> Self {
                self.to_le()
            }
        }
    )*};
}

words!(u8, u16, u32, u64);

impl MappedRegion {
    /// Reads the word at `offset`.
    ///
    /// # Errors
    /// `InvalidInput`: it is not all inside the mapping, or not aligned.
    pub fn read_word<W: Word>(&self, offset: usize) -> io::Result<W> {
        let place = self.word::<W>(offset)?;
        // SAFETY: `place` is aligned and inside the mapping, which lives as long as `self`; any bits are a value of W, and
        // nobody holds a reference into a mapping.
        Ok(unsafe { place.read_volatile() }.swapped())
    }

    /// Writes the word at `offset`.
    ///
    /// # Errors
    /// `InvalidInput`: it is not all inside the mapping, or not aligned. `PermissionDenied`: the mapping is not writable.
    pub fn write_word<W: Word>(&self, offset: usize, value: W) -> io::Result<()> {
        if !self.is_writable() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let place = self.word::<W>(offset)?;
        // SAFETY: as above, and writable; memory that Rust relies on is never mapped by this type.
        unsafe { place.write_volatile(value.swapped()) };
        Ok(())
    }

    fn word<W: Word>(&self, offset: usize) -> io::Result<*mut W> {
        let inside = offset.checked_add(size_of::<W>()).is_some_and(|end| end <= self.len());
        if !inside || !offset.is_multiple_of(size_of::<W>()) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(self.pointer().wrapping_add(offset).cast())
    }
}

#[cfg(test)]
mod tests;
