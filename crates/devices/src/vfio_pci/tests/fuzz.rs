//! Random accesses to whole devices, and to devices with damaged configuration spaces.

use proptest::prelude::*;

use crate::pci::PciFunction;
use crate::vfio_pci::testing::{E1000E, FakeDevice, Image, Machine, NVME};

#[derive(Clone, Debug)]
enum Access {
    Config(u16, u32, usize),
    Bar(u8, u64, u64, usize),
    Reset,
}

fn access() -> impl Strategy<Value = Access> {
    let size = prop::sample::select(vec![1usize, 2, 4]);
    let register = prop_oneof![4 => 0u16..64, 1 => 64u16..1024];
    let word = prop_oneof![any::<u32>(), Just(u32::MAX), Just(0), Just(0x8000_0007)];
    prop_oneof![
        12 => (register, word, size.clone()).prop_map(|(at, word, size)| Access::Config(at * 4, word, size)),
        8 => (0u8..8, 0u64..0x5000, any::<u64>(), 1usize..9)
            .prop_map(|(bar, at, word, size)| Access::Bar(bar, at, word, size)),
        1 => Just(Access::Reset),
    ]
}

fn apply(machine: &mut Machine, access: &Access) {
    match *access {
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

/// Whether the ranges share a byte: starts and lengths.
fn overlap(a: (usize, usize), b: (usize, usize)) -> bool {
    a.0 < b.0 + b.1 && b.0 < a.0 + a.1
}

/// What must hold after every access: `forbidden` are registers, `table` the BAR and bytes of MSI-X structures.
fn check(machine: &Machine, forbidden: &[(usize, usize)], tables: &[(u8, u64, u64)]) {
    machine.device.with(|state| {
        for (at, bytes) in state.config_writes.drain(..) {
            let hit = forbidden.iter().find(|range| overlap(**range, (at, bytes.len())));
            assert!(hit.is_none(), "{bytes:x?} reached {at:#x}");
        }
        for (bar, at, len) in state.bar_writes.drain(..) {
            let hit = tables.iter().find(|(of, start, size)| {
                *of == bar && overlap((at as usize, len), (*start as usize, *size as usize))
            });
            assert!(hit.is_none(), "{len} bytes reached {at:#x} of BAR {bar}");
        }
        let mapped = !machine.mapper.mappings().is_empty();
        assert!(state.decodes() || !mapped, "mapped while the device does not decode");
    });
    for mapping in machine.mapper.mappings() {
        let inside = machine.function.windows().iter().any(|window| window.span.covers(&mapping.span));
        assert!(inside, "{} is mapped outside of any window", mapping.span);
    }
}

const HEADER: [(usize, usize); 3] = [(0x00, 4), (0x08, 4), (0x0e, 0x30)];

fn run(image: Image, accesses: &[Access], capabilities: &[(usize, usize)], tables: &[(u8, u64, u64)]) {
    let mut machine = Machine::new(image);
    let forbidden = [&HEADER, capabilities].concat();
    for access in accesses {
        apply(&mut machine, access);
        check(&machine, &forbidden, tables);
    }
}

proptest! {
    #[test]
    fn no_access_to_an_nvme_device_reaches_what_is_ours(accesses in prop::collection::vec(access(), 1..80)) {
        let ours = [(0x40, 4), (0x48, 0x2c), (0x80, 2), (0xb0, 12), (0x100, 0xa4)];
        run(NVME(), &accesses, &ours, &[(0, 0x2000, 0x400), (0, 0x3000, 8)]);
    }

    #[test]
    fn no_access_to_an_e1000e_device_reaches_what_is_ours(accesses in prop::collection::vec(access(), 1..80)) {
        let ours = [(0xa0, 12), (0xc8, 4), (0xd0, 24), (0xe8, 8)];
        run(E1000E(), &accesses, &ours, &[(3, 0, 80), (3, 0x2000, 8)]);
    }

    #[test]
    fn a_damaged_space_never_opens_the_header_or_panics(
        damage in prop::collection::vec((0usize..256, any::<u8>()), 0..40),
        accesses in prop::collection::vec(access(), 1..30),
    ) {
        let mut image = NVME();
        for (at, byte) in damage {
            image.config[at] = byte;
        }
        if let Ok(machine) = Machine::try_with(FakeDevice::new(image.clone())) {
            drop(machine);
            run(image, &accesses, &[], &[]);
        }
    }
}
