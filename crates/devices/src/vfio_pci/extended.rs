//! Which extended capabilities a guest gets to see: those that are only about the function itself.
//!
//! Hidden are, for one, SR-IOV, ATS, PRI, PASID, resizable BARs, L1 substates, error reporting, access control, latency and
//! time messages: they change what lies outside of the function, or mean nothing behind an emulated port.

/// Device serial number.
const SERIAL: u16 = 0x03;
/// Vendor-specific.
const VENDOR: u16 = 0x0b;

/// First offset of the extended space.
pub(super) const FIRST: usize = 0x100;
/// End of the extended space.
const END: usize = 0x1000;

/// An extended capability that the guest may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extended {
    pub id: u16,
    /// Version, 0 to 15.
    pub version: u8,
    /// Offset of its header.
    pub at: usize,
    /// Bytes with the header; never past the end of the space.
    pub len: usize,
    /// The guest may write its body through to the device.
    pub writable: bool,
}

/// Those of the device's chain that may be shown, in its order. A damaged chain ends where the damage is.
pub(super) fn shown(image: &[u8]) -> Vec<Extended> {
    let mut visited = Vec::new();
    let mut found = Vec::new();
    let mut at = FIRST;
    while at >= FIRST && !visited.contains(&at) {
        visited.push(at);
        let header = word(image, at);
        if header == 0 || header == u32::MAX {
            break;
        }
        let id = header as u16;
        let len = match id {
            SERIAL => 12,
            VENDOR if at + 8 <= END => ((word(image, at + 4) >> 20) as usize).max(8),
            _ => 0,
        };
        if len != 0 && at + len <= END {
            let version = (header >> 16) as u8 & 0xf;
            found.push(Extended { id, version, at, len, writable: id == VENDOR });
        }
        at = (header >> 20) as usize & 0xffc;
    }
    found
}

/// The headers of the guest's chain: offset and word. The chain must begin at 0x100, so a null capability stands there
/// when the device's first one is hidden.
pub(super) fn headers(shown: &[Extended]) -> Vec<(usize, u32)> {
    const NULL_VERSION_1: u32 = 1 << 16;
    let next = |index: usize| shown.get(index).map_or(0, |capability| (capability.at as u32) << 20);
    let mut headers = Vec::new();
    if shown.first().is_some_and(|first| first.at != FIRST) {
        headers.push((FIRST, NULL_VERSION_1 | next(0)));
    }
    for (index, capability) in shown.iter().enumerate() {
        let own = u32::from(capability.id) | u32::from(capability.version) << 16;
        headers.push((capability.at, own | next(index + 1)));
    }
    headers
}

fn word(image: &[u8], at: usize) -> u32 {
    let byte = |n: usize| u32::from(image.get(at + n).copied().unwrap_or(0));
    byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24
}

#[cfg(test)]
mod tests;
