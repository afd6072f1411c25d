//! Where and in which state the first processor starts: 64-bit mode, flat segments, paging on, interrupts off.

use super::page_tables;

/// Where the segment table lies.
pub(super) const GDT: u64 = 0x500;
/// Top of the little stack the guest may use until it makes its own.
pub(super) const STACK: u64 = 0x8ff0;

const CODE: u64 = 0x00af_9b00_0000_ffff;
const DATA: u64 = 0x00cf_9300_0000_ffff;
const TASK: u64 = 0x008f_8b00_0000_ffff;
/// Entries 2 and 3 are the selectors 0x10 and 0x18, which the Linux boot protocol asks for.
const TABLE: [u64; 5] = [0, 0, CODE, DATA, TASK];

const CR0_PE_ET_NE_PG: u64 = 1 | 1 << 4 | 1 << 5 | 1 << 31;
const CR4_PAE: u64 = 1 << 5;
const EFER_LME_LMA: u64 = 1 << 8 | 1 << 10;

/// A segment register as the processor keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Offset of its entry in the segment table.
    pub selector: u16,
    /// First address.
    pub base: u64,
    /// Last offset, in bytes.
    pub limit: u32,
    /// Type field: what may be done with it.
    pub kind: u8,
    /// Code or data (true), or a system segment.
    pub code_or_data: bool,
    /// Privilege level.
    pub dpl: u8,
    /// Present.
    pub present: bool,
    /// 64-bit code.
    pub long: bool,
    /// 32-bit operands by default.
    pub db: bool,
    /// The limit counts pages.
    pub granular: bool,
}

/// Where the first processor starts. The other processors wait to be woken by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryPoint {
    /// First instruction.
    pub rip: u64,
    /// Address of the boot parameters.
    pub rsi: u64,
    /// Stack.
    pub rsp: u64,
    /// Control register 0.
    pub cr0: u64,
    /// Address of the page tables.
    pub cr3: u64,
    /// Control register 4.
    pub cr4: u64,
    /// Extended features: 64-bit mode on.
    pub efer: u64,
    /// Flags: interrupts off.
    pub rflags: u64,
    /// Address of the segment table.
    pub gdt_base: u64,
    /// Last offset in the segment table.
    pub gdt_limit: u16,
    /// Code segment.
    pub cs: Segment,
    /// Every data segment register.
    pub data: Segment,
    /// Task register.
    pub task: Segment,
}

impl EntryPoint {
    /// The state that starts a kernel at `rip` with its boot parameters at `zero_page`.
    pub(super) fn new(rip: u64, zero_page: u64) -> EntryPoint {
        EntryPoint {
            rip,
            rsi: zero_page,
            rsp: STACK,
            cr0: CR0_PE_ET_NE_PG,
            cr3: page_tables::ADDRESS,
            cr4: CR4_PAE,
            efer: EFER_LME_LMA,
            rflags: 2,
            gdt_base: GDT,
            gdt_limit: (size_of_val(&TABLE) - 1) as u16,
            cs: segment(2, CODE),
            data: segment(3, DATA),
            task: segment(4, TASK),
        }
    }
}

/// The segment table's bytes, to be written at [`GDT`].
pub(super) fn table() -> Vec<u8> {
    TABLE.iter().flat_map(|entry| entry.to_le_bytes()).collect()
}

fn segment(index: u16, entry: u64) -> Segment {
    let bits = |from: u32, count: u32| (entry >> from) & ((1 << count) - 1);
    let raw = (bits(0, 16) | bits(48, 4) << 16) as u32;
    let granular = bits(55, 1) == 1;
    Segment {
        selector: index * 8,
        base: bits(16, 24) | bits(56, 8) << 24,
        limit: if granular { raw << 12 | 0xfff } else { raw },
        kind: bits(40, 4) as u8,
        code_or_data: bits(44, 1) == 1,
        dpl: bits(45, 2) as u8,
        present: bits(47, 1) == 1,
        long: bits(53, 1) == 1,
        db: bits(54, 1) == 1,
        granular,
    }
}

#[cfg(test)]
mod tests;
