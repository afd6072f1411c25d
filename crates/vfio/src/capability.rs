//! The chain of capabilities that VFIO appends to its variable answers, read from bytes.
//!
//! Invariant: nothing outside the answer is read, and a chain that loops ends in an error.

use crate::InfoError;

/// Bytes of a capability's header: id (u16), version (u16), offset of the next (u32).
pub(crate) const HEADER: usize = 8;

/// More capabilities than any kernel chains.
const MOST: usize = 64;

/// Reads the `u32` at `offset`.
pub(crate) fn word(bytes: &[u8], offset: usize) -> Result<u32, InfoError> {
    field(bytes, offset).map(u32::from_ne_bytes)
}

/// Reads the `u64` at `offset`.
pub(crate) fn long(bytes: &[u8], offset: usize) -> Result<u64, InfoError> {
    field(bytes, offset).map(u64::from_ne_bytes)
}

/// The id of each capability and all bytes from its header on; `first` is the offset of the first, 0 for none.
pub(crate) fn chain(bytes: &[u8], first: u32) -> Result<Vec<(u16, &[u8])>, InfoError> {
    let mut found = Vec::new();
    let mut offset = first as usize;
    while offset != 0 {
        if found.len() == MOST {
            return Err(InfoError::Endless);
        }
        let id = u16::from_ne_bytes(field(bytes, offset)?);
        let next = word(bytes, offset.saturating_add(4))?;
        found.push((id, &bytes[offset..]));
        offset = next as usize;
    }
    Ok(found)
}

fn field<const N: usize>(bytes: &[u8], offset: usize) -> Result<[u8; N], InfoError> {
    let short = InfoError::Short { len: bytes.len(), offset };
    let end = offset.saturating_add(N);
    bytes.get(offset..end).and_then(|slice| slice.try_into().ok()).ok_or(short)
}
