//! Properties: what PROBE answers. The only one the specification defines is a reserved memory region.

use data_model::Span;

/// Size of a RESV_MEM property with its header, in bytes.
pub const RESV_MEM_SIZE: usize = 24;
/// The value's size, which is what the header carries (P5).
const RESV_MEM_LENGTH: u16 = 20;
const TYPE_RESV_MEM: u16 = 1;
const TYPE_MASK: u16 = 0xfff;
const HEADER_SIZE: usize = 4;

/// What accesses to a reserved region mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ResvKind {
    /// Not to be used; accesses may fault or reach something else.
    Reserved = 0,
    /// Untranslated: writes there are message-signalled interrupts.
    Msi = 1,
}

/// A region of the address space that must not be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResvMem {
    /// What accesses there mean.
    pub kind: ResvKind,
    /// Where it lies.
    pub span: Span,
}

/// One property out of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    /// A reserved memory region.
    ResvMem(ResvMem),
    /// A type that this crate does not know; to be skipped.
    Unknown(u16),
    /// The list is cut short or a value makes no sense.
    Malformed,
}

/// The properties do not fit into the buffer (P7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PropertyOverflow {
    /// Bytes that would be needed.
    pub needed: usize,
}

/// Encodes lists of properties.
pub struct Properties;

impl Properties {
    /// Writes `regions` to the front of `out` and zeros behind them (P8). Nothing is written when they do not fit.
    pub fn encode(regions: &[ResvMem], out: &mut [u8]) -> Result<(), PropertyOverflow> {
        let needed = regions.len().saturating_mul(RESV_MEM_SIZE);
        if needed > out.len() {
            return Err(PropertyOverflow { needed });
        }
        out.fill(0);
        for (region, place) in regions.iter().zip(out.chunks_exact_mut(RESV_MEM_SIZE)) {
            place[0..2].copy_from_slice(&TYPE_RESV_MEM.to_le_bytes());
            place[2..4].copy_from_slice(&RESV_MEM_LENGTH.to_le_bytes());
            place[4] = region.kind as u8;
            place[8..16].copy_from_slice(&region.span.start().to_le_bytes());
            place[16..24].copy_from_slice(&region.span.last().to_le_bytes());
        }
        Ok(())
    }
}

/// Walks a list of properties as a driver does: until type 0 or the end of the buffer (P6).
pub fn properties(bytes: &[u8]) -> impl Iterator<Item = Property> {
    let mut rest = bytes;
    core::iter::from_fn(move || {
        let header = rest.get(..HEADER_SIZE)?;
        let kind = u16::from_le_bytes([header[0], header[1]]) & TYPE_MASK;
        let length = usize::from(u16::from_le_bytes([header[2], header[3]]));
        if kind == 0 {
            return None;
        }
        let Some(value) = rest.get(HEADER_SIZE..HEADER_SIZE + length) else {
            rest = &[];
            return Some(Property::Malformed);
        };
        rest = &rest[HEADER_SIZE + length..];
        Some(if kind == TYPE_RESV_MEM { resv_mem(value) } else { Property::Unknown(kind) })
    })
}

fn resv_mem(value: &[u8]) -> Property {
    let word = |at: usize| Some(u64::from_le_bytes(value.get(at..at + 8)?.try_into().ok()?));
    // An unknown subtype is to be treated as reserved (V6).
    let kind = if value.first() == Some(&1) { ResvKind::Msi } else { ResvKind::Reserved };
    match (word(4), word(12)) {
        (Some(start), Some(last)) => match Span::new(start, last) {
            Some(span) => Property::ResvMem(ResvMem { kind, span }),
            None => Property::Malformed,
        },
        _ => Property::Malformed,
    }
}

#[cfg(test)]
mod tests;
