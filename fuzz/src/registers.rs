//! Registers of the PCI transport with the real device behind it: any access of any width, in any order.

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use data_model::Bdf;
use devices::pci::PciFunction;
use devices::virtio::testkit::{FakeDoorbells, FakeLine, FakeMsiController, ram};
use devices::virtio::{PciDeps, VirtioPciDevice};
use suites::world::{Memory, Rules, World};

thread_local! {
    static MEMORY: Memory = Memory::new();
}

/// The transport's BAR.
const BAR: u8 = 0;

/// Plays the accesses that `data` describes.
pub fn registers(data: &[u8]) {
    let world = MEMORY.with(|memory| World::new(&Rules::plain(), memory));
    let deps = PciDeps {
        at: Bdf::new(0, 3, 0).expect("an address"),
        mem: ram(1 << 20).into(),
        msi: Arc::new(FakeMsiController::default()),
        doorbells: Arc::new(FakeDoorbells::default()),
        line: Some(Arc::new(FakeLine::default())),
    };
    let mut pci = VirtioPciDevice::new(Box::new(world.device), deps).expect("a function");
    pci.config_write(0x10, &0xe000_0000u32.to_le_bytes());
    pci.config_write(0x04, &6u16.to_le_bytes());
    _ = play(&mut pci, &mut Unstructured::new(data));
    PciFunction::reset(&mut pci);
    let mut status = [0xff];
    pci.bar_read(BAR, 20, &mut status);
    assert_eq!(status, [0], "a reset resets");
}

fn play(pci: &mut VirtioPciDevice, input: &mut Unstructured) -> Result<()> {
    for _ in 0..64 {
        if input.is_empty() {
            break;
        }
        let kind: u8 = input.arbitrary()?;
        let len = [1usize, 2, 4, 8, 4, 2, 1, 3][usize::from(kind >> 2 & 7)];
        let area = [0u64, 0, 0x1000, 0x2000, 0x3000, 0x4000, 0x4000, 0x5ff0][usize::from(kind >> 5)];
        let offset: u8 = input.arbitrary()?;
        let at = if offset < 0xf8 { area + u64::from(offset & 0x7f) } else { input.arbitrary()? };
        let mut data = [0; 8];
        match kind & 3 {
            0 => pci.bar_read(BAR, at, &mut data[..len]),
            1 | 2 => {
                let small: u8 = input.arbitrary()?;
                data =
                    if small < 0xe0 { u64::from(small & 0x1f).to_le_bytes() } else { input.arbitrary()? };
                pci.bar_write(BAR, at, &data[..len]);
            }
            // The root complex gives a function 1, 2 or 4 bytes within a dword.
            _ => {
                let (add, len) =
                    [(0u16, 4usize), (0, 2), (2, 2), (0, 1), (1, 1), (3, 1)][usize::from(offset) % 6];
                let register = u16::from(input.arbitrary::<u8>()?) * 4 + add;
                data = input.arbitrary()?;
                pci.config_write(register, &data[..len]);
                pci.config_read(register, &mut data[..len]);
            }
        }
    }
    Ok(())
}
