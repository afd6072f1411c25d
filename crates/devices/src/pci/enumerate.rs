//! The machine's own firmware for PCI: bus numbers, BARs, bridge windows, decoding. All by configuration accesses, in one
//! fixed order, so that the same machine always gets the same addresses.

use data_model::{Bdf, Span};
use thiserror::Error;

use self::place::{Request, Room, fill};
use super::bar::BarKind;
use super::regs;
use super::root::PciRoot;

mod bridge;
mod place;
mod scan;

/// Address space that may be given out.
#[derive(Clone, Copy, Debug)]
pub struct Apertures<'a> {
    /// Memory below 4 GiB.
    pub memory32: Span,
    /// Memory above 4 GiB; without it everything goes below.
    pub memory64: Option<Span>,
    /// Ports (0x1000–0xefff on x86). Without them port BARs stay unassigned; those behind a root port always do.
    pub ports: Option<Span>,
    /// What the interrupt-line registers shall say for INTA to INTD of device 0; the other devices swizzle.
    pub lines: Option<[u8; 4]>,
    /// Functions whose bus mastering is left to the guest: the assigned ones.
    pub no_master: &'a [Bdf],
    /// Root ports with the bus behind each. Others get the first numbers that are free.
    pub buses: &'a [(Bdf, u8)],
}

/// A BAR's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The function.
    pub at: Bdf,
    /// BAR index.
    pub bar: u8,
    /// Guest-physical range, or ports.
    pub span: Span,
    /// Whether it is in port space.
    pub io: bool,
}

/// The devices do not fit the machine.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EnumerateError {
    /// A BAR has no place.
    #[error(
        "{at}: BAR {bar} of {size:#x} bytes does not fit into the {what} window {window}; give the machine a larger one or fewer devices"
    )]
    NoRoom {
        /// The function.
        at: Bdf,
        /// BAR index.
        bar: u8,
        /// Bytes asked for.
        size: u64,
        /// Which window.
        what: &'static str,
        /// Where it lies.
        window: Span,
    },
    /// A bridge window has no place.
    #[error(
        "{at}: the devices behind this root port ask for {size:#x} bytes, which do not fit into the {what} window {window}; give the machine a larger one or fewer devices"
    )]
    NoRoomBehind {
        /// The root port.
        at: Bdf,
        /// Bytes asked for, with alignment.
        size: u64,
        /// Which window.
        what: &'static str,
        /// Where it lies.
        window: Span,
    },
    /// There are only 256 bus numbers.
    #[error("{at}: no bus number is left for this root port")]
    NoBus {
        /// The root port.
        at: Bdf,
    },
}

/// Gives every function its resources and switches decoding on. What was placed, in order of address.
pub fn enumerate(root: &PciRoot, apertures: &Apertures<'_>) -> Result<Vec<Placed>, EnumerateError> {
    let functions = scan::scan(root, apertures.buses)?;
    let requests: Vec<Request> = functions.iter().flat_map(|function| scan::bars(root, function)).collect();
    let high = |request: &Request| {
        apertures.memory64.is_some() && request.kind == BarKind::Memory64 { prefetchable: true }
    };
    let memory = requests.iter().filter(|request| !request.kind.is_io());
    let (above, below): (Vec<Request>, Vec<Request>) = memory.copied().partition(high);
    let mut rooms = vec![fill(Room { what: "32-bit memory", window: apertures.memory32 }, &below)?];
    if let Some(window) = apertures.memory64 {
        rooms.push(fill(Room { what: "64-bit memory", window }, &above)?);
    }
    if let Some(window) = apertures.ports {
        let ports = requests.iter().filter(|request| request.kind.is_io() && request.bridge.is_none());
        rooms.push(fill(Room { what: "port", window }, &ports.copied().collect::<Vec<_>>())?);
    }
    bridge::program(root, &functions, &rooms);
    let mut placed = Vec::new();
    for (request, span) in rooms.iter().flat_map(|room| &room.bars) {
        program_bar(root, request, span.start());
        placed.push(Placed { at: request.at, bar: request.bar, span: *span, io: request.kind.is_io() });
    }
    for function in &functions {
        switch_on(root, function, apertures, &placed);
    }
    placed.sort_by_key(|one| (one.io, one.span));
    Ok(placed)
}

fn program_bar(root: &PciRoot, request: &Request, address: u64) {
    let register = regs::BAR0 + 4 * u16::from(request.bar);
    write_u32(root, request.at, register, address as u32);
    if request.kind.is_64() {
        write_u32(root, request.at, register + 4, (address >> 32) as u32);
    }
}

/// Interrupt line, then decoding of what has a place.
fn switch_on(root: &PciRoot, function: &scan::Found, apertures: &Apertures<'_>, placed: &[Placed]) {
    let at = function.at;
    let pin = read_u8(root, at, regs::INTERRUPT_PIN);
    if let Some(lines) = apertures.lines
        && (1..=4).contains(&pin)
    {
        // Behind a port the pins swizzle by the port's own device number, its device being number 0.
        let device = function.bridge.map_or(at.device(), |port| port.device());
        let line = lines[usize::from(pin - 1 + device) % 4];
        root.config_write(at, regs::INTERRUPT_LINE, &[line]);
    }
    let has = |io: bool| placed.iter().any(|one| one.at == at && one.io == io);
    let mut command = read_u16(root, at, regs::COMMAND);
    if has(false) || function.is_port {
        command |= regs::COMMAND_MEMORY;
    }
    if has(true) {
        command |= regs::COMMAND_IO;
    }
    if !apertures.no_master.contains(&at) {
        command |= regs::COMMAND_MASTER;
    }
    root.config_write(at, regs::COMMAND, &command.to_le_bytes());
}

fn read_u8(root: &PciRoot, at: Bdf, register: u16) -> u8 {
    let mut raw = [0; 1];
    root.config_read(at, register, &mut raw);
    raw[0]
}

fn read_u16(root: &PciRoot, at: Bdf, register: u16) -> u16 {
    let mut raw = [0; 2];
    root.config_read(at, register, &mut raw);
    u16::from_le_bytes(raw)
}

fn read_u32(root: &PciRoot, at: Bdf, register: u16) -> u32 {
    let mut raw = [0; 4];
    root.config_read(at, register, &mut raw);
    u32::from_le_bytes(raw)
}

fn write_u32(root: &PciRoot, at: Bdf, register: u16, value: u32) {
    root.config_write(at, register, &value.to_le_bytes());
}

#[cfg(test)]
mod tests;
