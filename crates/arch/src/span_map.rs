//! What the address maps of both architectures share: their limits, their errors, and the check that nothing overlaps.

use data_model::Span;
use thiserror::Error;

/// What an occupied range is, in words that fit into a message, and where it is.
pub type NamedSpan = (&'static str, Span);

/// RAM comes in multiples of this many bytes.
pub const RAM_UNIT: u64 = 1 << 20;

/// The least RAM in bytes that holds a kernel and what it needs to start.
pub const SMALLEST_RAM: u64 = 32 << 20;

pub(crate) const GIB: u64 = 1 << 30;
pub(crate) const RAM: &str = "RAM";
pub(crate) const BARS_LOW: &str = "BAR window below 4 GiB";
pub(crate) const BARS_HIGH: &str = "BAR window above 4 GiB";
pub(crate) const ECAM: &str = "PCI configuration space";

/// The BAR window above RAM where nothing asks for more.
const HIGH_WINDOW: u64 = 64 * GIB;
/// What emulated devices and root ports may need in it besides.
const HIGH_SPARE: u64 = GIB;
const ADDRESS_BITS: std::ops::RangeInclusive<u32> = 32..=52;

/// Why there is no address map for the wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LayoutError {
    /// RAM is no multiple of [`RAM_UNIT`].
    #[error("guest RAM of {ram} bytes is not a whole number of MiB")]
    RamUnit {
        /// Bytes asked for.
        ram: u64,
    },
    /// RAM is less than [`SMALLEST_RAM`].
    #[error("guest RAM of {ram} bytes is too small to boot; give at least {} MiB", SMALLEST_RAM >> 20)]
    RamTooSmall {
        /// Bytes asked for.
        ram: u64,
    },
    /// RAM does not fit below the guest's last physical address.
    #[error("guest RAM of {} MiB does not fit into {bits} bits of physical address; at most {} MiB do", .ram >> 20, .most >> 20)]
    RamTooBig {
        /// Bytes asked for.
        ram: u64,
        /// Width of a guest-physical address.
        bits: u32,
        /// The most bytes that fit.
        most: u64,
    },
    /// The BARs do not fit between RAM and the guest's last physical address.
    #[error(
        "the devices' BARs of {} MiB do not fit above guest RAM into {bits} bits of physical address, around what the host \
         reserves; at most {} MiB do", .bytes >> 20, .most >> 20
    )]
    BarsTooBig {
        /// Bytes that they take.
        bytes: u64,
        /// Width of a guest-physical address.
        bits: u32,
        /// The longest window that there can be, in bytes.
        most: u64,
    },
    /// A width of addresses that no guest has.
    #[error("{0} bits of guest-physical address cannot hold the address map; 32 to 52 can")]
    AddressBits(u32),
    /// No processor, or more than the interrupt controller has room for.
    #[error("{cpus} processors: this machine takes 1 to {most}")]
    Cpus {
        /// Processors asked for.
        cpus: u32,
        /// The most there can be.
        most: u32,
    },
    /// This interrupt controller has no such MSI frame.
    #[error("an interrupt translation service (ITS) needs a GICv3; with a GICv2 use a GICv2m frame")]
    ItsNeedsGicV3,
    /// The MSI frame is not where its kind may be.
    #[error(
        "the MSI frame at {base:#x} must be aligned to {align:#x} and lie below the end of the address space"
    )]
    MsiFramePlace {
        /// First address of the frame.
        base: u64,
        /// What `base` must be a multiple of.
        align: u64,
    },
    /// Two parts of the map want the same addresses.
    #[error("{first} at {first_span} and {second} at {second_span} overlap")]
    Overlap {
        /// What lies lower.
        first: &'static str,
        /// Where.
        first_span: Span,
        /// What lies higher.
        second: &'static str,
        /// Where.
        second_span: Span,
    },
}

/// Checks a RAM size and a width of addresses before any arithmetic on them.
pub(crate) fn check_size(ram: u64, bits: u32) -> Result<(), LayoutError> {
    if !ADDRESS_BITS.contains(&bits) {
        return Err(LayoutError::AddressBits(bits));
    }
    if !ram.is_multiple_of(RAM_UNIT) {
        return Err(LayoutError::RamUnit { ram });
    }
    if ram < SMALLEST_RAM {
        return Err(LayoutError::RamTooSmall { ram });
    }
    Ok(())
}

/// What the BAR window above RAM has to hold, and what it has to keep clear of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BarRoom {
    /// Bytes of all BARs in it, each device's aligned to its largest.
    pub bytes: u64,
    /// The largest BAR, which is what its start is aligned to; 0 when there is none.
    pub align: u64,
    /// Ranges that must not lie in it.
    pub avoid: Vec<Span>,
}

/// The BAR window above RAM: the first place past `ram_last`, not below 4 GiB and on a boundary of a GiB or of the largest BAR,
/// that has room for what is asked, cut where addresses of `bits` end or something is in the way. `None` when nothing is asked
/// and nothing is left there.
pub(crate) fn high_window(ram_last: u64, bits: u32, room: &BarRoom) -> Result<Option<Span>, LayoutError> {
    let windows = high_windows(ram_last, bits, room);
    // A GiB to spare is worth looking for, but not worth a refusal.
    let wish = room.bytes.saturating_add(HIGH_SPARE);
    for least in [wish, room.bytes.max(1)] {
        if let Some(window) = windows.iter().find(|window| window.len().is_some_and(|len| len >= least)) {
            return Ok(Some(*window));
        }
    }
    let most = windows.iter().filter_map(Span::len).max().unwrap_or(0);
    if room.bytes > 0 { Err(LayoutError::BarsTooBig { bytes: room.bytes, bits, most }) } else { Ok(None) }
}

/// The longest window at each place that one could start at, in order of addresses.
fn high_windows(ram_last: u64, bits: u32, room: &BarRoom) -> Vec<Span> {
    let align = room.align.max(GIB);
    let len = room.bytes.saturating_add(HIGH_SPARE).max(HIGH_WINDOW);
    let behind =
        |last: u64| last.max(ram_last).max(4 * GIB - 1).checked_add(1)?.checked_next_multiple_of(align);
    let mut starts: Vec<u64> =
        std::iter::once(0).chain(room.avoid.iter().map(Span::last)).filter_map(behind).collect();
    starts.sort_unstable();
    starts.dedup();
    let window = |start: u64| {
        let next = room.avoid.iter().filter(|span| span.last() >= start).map(Span::start).min();
        let last = ((1u64 << bits) - 1).min(next.map_or(u64::MAX, |next| next.saturating_sub(1)));
        Span::new(start, last.min(start.saturating_add(len - 1)))
    };
    starts.into_iter().filter_map(window).collect()
}

/// Sorts the map and makes sure that no two parts of it overlap.
pub(crate) fn sort_disjoint(mut spans: Vec<NamedSpan>) -> Result<Vec<NamedSpan>, LayoutError> {
    spans.sort_by_key(|(_, span)| *span);
    for pair in spans.windows(2) {
        if let [(first, first_span), (second, second_span)] = *pair
            && first_span.overlaps(&second_span)
        {
            return Err(LayoutError::Overlap { first, first_span, second, second_span });
        }
    }
    Ok(spans)
}

/// A span that is known when this is compiled.
pub(crate) const fn fixed(start: u64, last: u64) -> Span {
    match Span::new(start, last) {
        Some(span) => span,
        None => Span::ALL,
    }
}

#[cfg(test)]
mod tests;
