//! Where a split ring lies in guest memory, and a descriptor as the driver writes it.

/// A descriptor, any content: also what no driver may write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawDesc {
    /// Guest-physical address.
    pub addr: u64,
    /// Bytes.
    pub len: u32,
    /// [`RawDesc::NEXT`], [`RawDesc::WRITE`], [`RawDesc::INDIRECT`], or anything else.
    pub flags: u16,
    /// Index of the next one when `flags` says so.
    pub next: u16,
}

impl RawDesc {
    /// Another descriptor follows.
    pub const NEXT: u16 = 1;
    /// The device writes to the buffer.
    pub const WRITE: u16 = 2;
    /// The buffer is a table of descriptors.
    pub const INDIRECT: u16 = 4;

    /// The 16 bytes in memory.
    pub fn bytes(&self) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&self.addr.to_le_bytes());
        out[8..12].copy_from_slice(&self.len.to_le_bytes());
        out[12..14].copy_from_slice(&self.flags.to_le_bytes());
        out[14..].copy_from_slice(&self.next.to_le_bytes());
        out
    }
}

/// Guest-physical addresses of a ring's three parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingLayout {
    /// Descriptor table.
    pub desc: u64,
    /// Available ring: what the driver gives.
    pub avail: u64,
    /// Used ring: what the device gives back.
    pub used: u64,
    /// First address after the ring, page-aligned.
    pub end: u64,
}

impl RingLayout {
    /// The ring of `size` entries laid out from the page-aligned address `base` on.
    pub fn at(base: u64, size: u16) -> RingLayout {
        let size = u64::from(size);
        let avail = base + 16 * size;
        let used = (avail + 6 + 2 * size + 3) & !3;
        let end = (used + 6 + 8 * size + 0xfff) & !0xfff;
        RingLayout { desc: base, avail, used, end }
    }
}
