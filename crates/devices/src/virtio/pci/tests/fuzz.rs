//! Random accesses of any place and width.

use proptest::prelude::*;

use super::machine::{BAR_AT, machine};
use super::*;

#[derive(Clone, Debug)]
enum Access {
    Read(u64, usize),
    Write(u64, Vec<u8>),
    ConfigRead(u16, usize),
    ConfigWrite(u16, Vec<u8>),
    Tell(u8),
}

fn access() -> impl Strategy<Value = Access> {
    let offset = || {
        prop_oneof![4 => 0u64..64, 1 => 0x0ff0u64..0x1010, 2 => 0x1ff0u64..0x2010, 1 => 0x2ff0u64..0x3010,
                    2 => 0x4000u64..0x4040, 1 => 0x5ff0u64..0x6010, 1 => any::<u64>()]
    };
    // Small values pass for statuses, indices and sizes.
    let byte = || prop_oneof![Just(0u8), 0u8..16, any::<u8>()];
    let data = move || {
        prop_oneof![1 => Just(0), 4 => Just(1), 4 => Just(2), 4 => Just(4), 2 => Just(8), 1 => 0usize..9]
            .prop_flat_map(move |len| proptest::collection::vec(byte(), len))
    };
    // The root complex gives a function 1, 2 or 4 bytes within a dword.
    let register =
        || (0u16..1024, prop_oneof![Just((0u16, 1usize)), Just((3, 1)), Just((2, 2)), Just((0, 4))]);
    prop_oneof![
        2 => (offset(), 0usize..9).prop_map(|(at, len)| Access::Read(at, len)),
        6 => (offset(), data()).prop_map(|(at, data)| Access::Write(at, data)),
        1 => register().prop_map(|(at, (add, len))| Access::ConfigRead(at * 4 + add, len)),
        2 => (register(), any::<u32>()).prop_map(|((at, (add, len)), value)| {
            // Mostly in the header and the capabilities.
            Access::ConfigWrite(at % 64 * 4 + add, value.to_le_bytes()[..len].to_vec())
        }),
        1 => any::<u8>().prop_map(Access::Tell),
    ]
}

proptest! {
    #[test]
    fn any_access_is_safe(running in any::<bool>(), accesses in proptest::collection::vec(access(), 1..200)) {
        let mut machine = machine();
        if running {
            machine.start();
            machine.enable_msix();
        }
        for access in accesses {
            match access {
                Access::Read(at, len) => machine.pci.bar_read(layout::BAR, at, &mut [0; 8][..len]),
                Access::Write(at, data) => machine.pci.bar_write(layout::BAR, at, &data),
                Access::ConfigRead(at, len) => machine.pci.config_read(at, &mut [0; 4][..len]),
                Access::ConfigWrite(at, data) => machine.pci.config_write(at, &data),
                Access::Tell(what) => {
                    let last = machine.seen.lock().activations.last().map(|active| active.interrupt.clone());
                    match (what % 3, last) {
                        (0, Some(interrupt)) => interrupt.queue(what.into()),
                        (1, Some(interrupt)) => interrupt.config_changed(),
                        (2, Some(interrupt)) => interrupt.needs_reset(),
                        _ => {}
                    }
                }
            }
        }
        PciFunction::reset(&mut machine.pci);
        prop_assert_eq!(machine.status(), 0);
        machine.pci.config_write(regs::BAR0, &(BAR_AT as u32).to_le_bytes());
        machine.command(6);
        let before = machine.seen.lock().activations.len();
        machine.start();
        prop_assert_eq!(machine.status(), 0xf, "it still starts after a reset");
        prop_assert_eq!(machine.seen.lock().activations.len(), before + 1);
    }
}
