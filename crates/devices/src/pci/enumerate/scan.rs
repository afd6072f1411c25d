//! Finds the functions, numbers the buses behind the root ports, and asks every BAR for its size.

use data_model::Bdf;

use super::place::Request;
use super::{EnumerateError, read_u8, read_u16, read_u32, write_u32};
use crate::pci::bar::BarKind;
use crate::pci::regs;
use crate::pci::root::PciRoot;

/// A function that answers.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Its address.
    pub at: Bdf,
    /// The port that it is behind.
    pub bridge: Option<Bdf>,
    /// Whether it is a root port itself.
    pub is_port: bool,
}

/// Every function, root bus first; gives each root port its bus of `buses`, or the first that is free.
pub fn scan(root: &PciRoot, buses: &[(Bdf, u8)]) -> Result<Vec<Found>, EnumerateError> {
    let mut found: Vec<Found> = (0..32).flat_map(|device| functions(root, 0, device, None)).collect();
    let ports: Vec<Bdf> =
        found.iter().filter(|function| function.is_port).map(|function| function.at).collect();
    let wanted = |port: &Bdf| buses.iter().find(|(at, _)| at == port).map(|(_, bus)| *bus);
    let mut taken: Vec<u8> = ports.iter().filter_map(wanted).collect();
    for port in ports {
        // A guest keeps the numbers that it finds, and its tables name endpoints by them.
        let free = || (1..=u8::MAX).find(|bus| !taken.contains(bus));
        let bus = wanted(&port).or_else(free).ok_or(EnumerateError::NoBus { at: port })?;
        taken.push(bus);
        root.config_write(port, regs::PRIMARY_BUS, &[0, bus, bus]);
        found.extend(functions(root, bus, 0, Some(port)));
    }
    Ok(found)
}

/// The functions of one device.
fn functions(root: &PciRoot, bus: u8, device: u8, bridge: Option<Bdf>) -> Vec<Found> {
    let address = |function| Bdf::new(bus, device, function);
    let present = |at: &Bdf| read_u16(root, *at, regs::VENDOR) != 0xffff;
    let Some(first) = address(0).filter(present) else { return Vec::new() };
    let more = if read_u8(root, first, regs::HEADER_TYPE) & 0x80 != 0 { 8 } else { 1 };
    let all = (0..more).filter_map(address).filter(present);
    all.map(|at| Found { at, bridge, is_port: read_u8(root, at, regs::HEADER_TYPE) & 0x7f == 1 }).collect()
}

/// Switches decoding off and sizes the BARs; they are left at zero.
pub fn bars(root: &PciRoot, function: &Found) -> Vec<Request> {
    let at = function.at;
    let off = !(regs::COMMAND_MEMORY | regs::COMMAND_IO);
    let command = read_u16(root, at, regs::COMMAND) & off;
    root.config_write(at, regs::COMMAND, &command.to_le_bytes());
    let count = if function.is_port { 2 } else { 6 };
    let mut requests = Vec::new();
    let mut bar = 0;
    while bar < count {
        let Some((kind, size)) = size(root, at, bar) else {
            bar += 1;
            continue;
        };
        requests.push(Request { at, bar, kind, size, bridge: function.bridge });
        bar += if kind.is_64() { 2 } else { 1 };
    }
    requests
}

fn size(root: &PciRoot, at: Bdf, bar: u8) -> Option<(BarKind, u64)> {
    let register = regs::BAR0 + 4 * u16::from(bar);
    let probe = |register| {
        write_u32(root, at, register, u32::MAX);
        let answer = read_u32(root, at, register);
        write_u32(root, at, register, 0);
        answer
    };
    let low = probe(register);
    let kind = BarKind::from_bits(low);
    let mask = match kind {
        BarKind::Io => u64::from(low | 0xffff_0000) & !3 | !0xffff_ffff,
        BarKind::Memory32 { .. } => u64::from(low) & !15 | !0xffff_ffff,
        BarKind::Memory64 { .. } => u64::from(probe(register + 4)) << 32 | u64::from(low & !15),
    };
    let none = low & !15 == 0 && !(kind.is_64() && mask != 0);
    (!none).then(|| (kind, (!mask).wrapping_add(1))).filter(|(_, size)| size.is_power_of_two())
}
