//! The lines of a device's `resource` file: six BARs, then the ROM and what is none of a guest's.

use super::reserved::hex;

/// A BAR that is memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostBar {
    /// Bytes.
    pub size: u64,
    /// Whether it may be above 4 GiB: 64 bits wide, and prefetchable as the windows of bridges there are.
    pub high: bool,
}

const BARS: usize = 6;
const MEMORY: u64 = 0x200;
const PREFETCHABLE: u64 = 0x2000;
const WIDE: u64 = 0x10_0000;

/// Reads the file; ports and what is not there are left out.
pub fn parse(text: &str) -> Vec<HostBar> {
    text.lines().take(BARS).filter_map(line).collect()
}

fn line(line: &str) -> Option<HostBar> {
    let mut words = line.split_whitespace();
    let mut number = || hex(words.next()?);
    let (start, last, flags) = (number()?, number()?, number()?);
    let size = last.checked_sub(start)?.checked_add(1)?;
    let there = flags & MEMORY != 0;
    there.then_some(HostBar { size, high: flags & (PREFETCHABLE | WIDE) == PREFETCHABLE | WIDE })
}
