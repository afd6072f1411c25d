//! Programs the windows of the root ports.

use data_model::{Bdf, Span};

use super::place::Filled;
use super::scan::Found;
use super::write_u32;
use crate::pci::regs;
use crate::pci::root::PciRoot;

/// Opens each port's windows for what was placed behind it, and closes the others. Rooms: 32-bit memory first, then
/// 64-bit memory if there is one.
pub fn program(root: &PciRoot, functions: &[Found], rooms: &[Filled]) {
    for port in functions.iter().filter(|function| function.is_port) {
        let window = |n: usize| {
            let room: Option<&Filled> = rooms.get(n);
            room?.bridges.iter().find(|(at, _)| *at == port.at).map(|(_, span)| *span)
        };
        // Base above limit: no ports pass.
        root.config_write(port.at, regs::IO_BASE, &[0xf0, 0]);
        memory(root, port.at, window(0));
        prefetchable(root, port.at, window(1));
    }
}

/// Base in the low half, limit in the high half; each holds address bits 20 to 31 from its bit 4 on.
fn base_and_limit(span: Option<Span>) -> u32 {
    let Some(span) = span else { return 0x0000_fff0 };
    let half = |address: u64| (address >> 16) as u32 & 0xfff0;
    half(span.last()) << 16 | half(span.start())
}

fn memory(root: &PciRoot, at: Bdf, span: Option<Span>) {
    write_u32(root, at, regs::MEMORY_BASE, base_and_limit(span));
}

fn prefetchable(root: &PciRoot, at: Bdf, span: Option<Span>) {
    write_u32(root, at, regs::PREFETCH_BASE, base_and_limit(span));
    let upper = |address: Option<u64>| address.map_or(0, |address| (address >> 32) as u32);
    write_u32(root, at, regs::PREFETCH_BASE_UPPER, upper(span.map(|span| span.start())));
    write_u32(root, at, regs::PREFETCH_BASE_UPPER + 4, upper(span.map(|span| span.last())));
}
