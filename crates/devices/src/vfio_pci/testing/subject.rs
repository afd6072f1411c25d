//! Accesses to an assigned device, perhaps one with a damaged configuration space, and what must hold after each.

use super::{E1000E, FakeDevice, Machine, NVME};
use crate::pci::PciFunction;

/// A guest's access, or what the machine does.
#[derive(Clone, Copy, Debug)]
pub enum Access {
    /// A write to a configuration register, then a read: offset, value, bytes (1, 2 or 4).
    Config(u16, u32, usize),
    /// The same in a BAR: number, offset, value, bytes (1 to 8).
    Bar(u8, u64, u64, usize),
    /// A function reset.
    Reset,
}

/// What the guest must never write on an undamaged device: registers (offset, bytes) and MSI-X structures (BAR, offset, bytes).
struct Ours {
    registers: &'static [(usize, usize)],
    tables: &'static [(u8, u64, u64)],
}

const HEADER: [(usize, usize); 3] = [(0x00, 4), (0x08, 4), (0x0e, 0x30)];
const OF_NVME: Ours = Ours {
    registers: &[(0x40, 4), (0x48, 0x2c), (0x80, 2), (0xb0, 12), (0x100, 0xa4)],
    tables: &[(0, 0x2000, 0x400), (0, 0x3000, 8)],
};
const OF_E1000E: Ours = Ours {
    registers: &[(0xa0, 12), (0xc8, 4), (0xd0, 24), (0xe8, 8)],
    tables: &[(3, 0, 80), (3, 0x2000, 8)],
};

/// Makes an NVMe (or e1000e) device, damages its configuration space before the VMM sees it, and plays the accesses.
/// Panics when a write of the guest reaches what is the VMM's. A device that the VMM refuses ends the play.
pub fn play(e1000e: bool, damage: &[(u8, u8)], accesses: &[Access]) {
    let (mut image, ours) = if e1000e { (E1000E(), OF_E1000E) } else { (NVME(), OF_NVME) };
    for (at, byte) in damage {
        image.config[usize::from(*at)] = *byte;
    }
    let Ok(mut machine) = Machine::try_with(FakeDevice::new(image)) else { return };
    for access in accesses {
        apply(&mut machine, *access);
        check(&machine, damage.is_empty().then_some(&ours));
    }
}

fn apply(machine: &mut Machine, access: Access) {
    match access {
        Access::Config(at, word, size) => {
            let mut data = word.to_le_bytes();
            machine.function.config_write(at, &data[..size]);
            machine.function.config_read(at, &mut data[..size]);
        }
        Access::Bar(bar, at, word, size) => {
            let mut data = word.to_le_bytes();
            machine.function.bar_write(bar, at, &data[..size]);
            machine.function.bar_read(bar, at, &mut data[..size]);
        }
        Access::Reset => machine.function.reset(),
    }
}

fn overlap(a: (u64, u64), b: (u64, u64)) -> bool {
    a.0 < b.0 + b.1 && b.0 < a.0 + a.1
}

fn check(machine: &Machine, ours: Option<&Ours>) {
    let registers = ours.map(|ours| ours.registers).unwrap_or_default();
    let tables = ours.map(|ours| ours.tables).unwrap_or_default();
    machine.device.with(|state| {
        for (at, bytes) in state.config_writes.drain(..) {
            let wrote = (at as u64, bytes.len() as u64);
            let hit =
                HEADER.iter().chain(registers).any(|(at, len)| overlap((*at as u64, *len as u64), wrote));
            assert!(!hit, "{bytes:x?} reached register {at:#x}");
        }
        for (bar, at, len) in state.bar_writes.drain(..) {
            let hit = tables
                .iter()
                .any(|(of, start, size)| *of == bar && overlap((at, len as u64), (*start, *size)));
            assert!(!hit, "{len} bytes reached {at:#x} of BAR {bar}");
        }
        let mapped = !machine.mapper.mappings().is_empty();
        assert!(state.decodes() || !mapped, "mapped while the device does not decode");
    });
}
