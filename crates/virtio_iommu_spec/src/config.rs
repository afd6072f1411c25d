//! The configuration space: 40 bytes, little-endian.

use data_model::{PageMask, Span};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Size of the configuration space in bytes.
pub const CONFIG_SIZE: usize = 40;
/// Offset of `bypass`, the only field a driver may write (C5).
pub const CONFIG_BYPASS_OFFSET: u64 = 0x24;

/// The configuration space as it lies on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Config {
    /// Page sizes, one bit each; the lowest is the granule (C1).
    pub page_size_mask: U64,
    /// First address an endpoint may use.
    pub input_start: U64,
    /// Last address an endpoint may use.
    pub input_end: U64,
    /// First domain id.
    pub domain_start: U32,
    /// Last domain id.
    pub domain_end: U32,
    /// Bytes of properties in the answer to PROBE.
    pub probe_size: U32,
    /// 1 when unattached endpoints reach memory untranslated.
    pub bypass: u8,
    /// Zero.
    pub reserved: [u8; 3],
}

const _: () = assert!(size_of::<Config>() == CONFIG_SIZE);

impl Config {
    /// The configuration of a device that offers every range.
    pub fn new(pages: PageMask, input: Span, domain_end: u32, probe_size: u32, bypass: bool) -> Config {
        Config {
            page_size_mask: pages.bits().into(),
            input_start: input.start().into(),
            input_end: input.last().into(),
            domain_start: 0.into(),
            domain_end: domain_end.into(),
            probe_size: probe_size.into(),
            bypass: bypass.into(),
            reserved: [0; 3],
        }
    }
}

#[cfg(test)]
mod tests;
