//! Base address registers: their kinds, sizes and masks.

use super::regs;

/// What a BAR decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarKind {
    /// Ports of the x86 I/O space.
    Io,
    /// Memory below 4 GiB.
    Memory32 {
        /// Reads have no side effects.
        prefetchable: bool,
    },
    /// Memory anywhere; takes two registers.
    Memory64 {
        /// Reads have no side effects: it may lie in a bridge's 64-bit window.
        prefetchable: bool,
    },
}

impl BarKind {
    /// Whether it decodes ports.
    pub fn is_io(&self) -> bool {
        matches!(self, BarKind::Io)
    }

    /// Whether it takes two registers.
    pub fn is_64(&self) -> bool {
        matches!(self, BarKind::Memory64 { .. })
    }

    /// Whether a read has no side effects.
    pub fn is_prefetchable(&self) -> bool {
        matches!(self, BarKind::Memory32 { prefetchable: true } | BarKind::Memory64 { prefetchable: true })
    }

    /// The read-only low bits.
    pub fn type_bits(&self) -> u32 {
        let kind = match self {
            BarKind::Io => 1,
            BarKind::Memory32 { .. } => 0,
            BarKind::Memory64 { .. } => 4,
        };
        kind | if self.is_prefetchable() { 8 } else { 0 }
    }

    /// The kind that the low bits of a register tell.
    pub fn from_bits(low: u32) -> BarKind {
        let prefetchable = low & 8 != 0;
        match low & 7 {
            1 | 3 | 5 | 7 => BarKind::Io,
            4 => BarKind::Memory64 { prefetchable },
            _ => BarKind::Memory32 { prefetchable },
        }
    }
}

/// One BAR of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Index of its (lower) register, 0 to 5.
    pub index: u8,
    /// What it decodes.
    pub kind: BarKind,
    /// Bytes or ports, a power of two.
    pub size: u64,
}

impl Bar {
    /// Offset of its (lower) register in configuration space.
    pub fn register(&self) -> u16 {
        regs::BAR0 + 4 * u16::from(self.index)
    }

    /// The address bits that can be programmed.
    pub fn address_mask(&self) -> u64 {
        let mask = !(self.size - 1);
        if self.kind.is_64() { mask } else { mask & 0xffff_ffff }
    }
}

/// The BARs of a header.
#[derive(Clone, Debug)]
pub struct BarSet {
    bars: Vec<Bar>,
    registers: u8,
}

impl BarSet {
    /// None yet, in a header with so many registers.
    pub fn new(registers: u8) -> BarSet {
        BarSet { bars: Vec::new(), registers }
    }

    /// Adds one; `None` when the index is taken or out of range, or the size is not right.
    pub fn add(&mut self, index: u8, kind: BarKind, size: u64) -> Option<Bar> {
        let least = if kind.is_io() { 4 } else { 16 };
        let most = if kind.is_64() { 1 << 62 } else { 1 << 31 };
        if !size.is_power_of_two() || size < least || size > most {
            return None;
        }
        let last = index.checked_add(u8::from(kind.is_64()))?;
        let ends = |bar: &Bar| (bar.index, bar.index + u8::from(bar.kind.is_64()));
        if last >= self.registers
            || self.iter().any(|other| index <= ends(&other).1 && ends(&other).0 <= last)
        {
            return None;
        }
        let bar = Bar { index, kind, size };
        self.bars.push(bar);
        Some(bar)
    }

    /// The one with this index.
    pub fn get(&self, index: u8) -> Option<Bar> {
        self.iter().find(|bar| bar.index == index)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Bar> + '_ {
        self.bars.iter().copied()
    }
}
