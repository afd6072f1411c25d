//! MSI-X as Linux programs it, on kernels that can add vectors and on those that cannot.

use vfio::PciIrq;

use crate::pci::PciFunction;
use crate::vfio_pci::testing::{E1000E, FakeDevice, Image, Machine, NVME};

const ENABLE: u16 = 0x8000;
const MASK_ALL: u16 = 0x4000;

/// Offset of message control, BAR and offset of the table.
struct Where(u16, u8, u64);

const NVME_TABLE: Where = Where(0xb2, 0, 0x2000);
const E1000E_TABLE: Where = Where(0xa2, 3, 0);

/// Decodes memory, then does as Linux: enable with the function masked, write entries masked, lift the function mask.
fn enabled(image: Image, at: &Where) -> Machine {
    let mut machine = Machine::new(image);
    machine.set_u16(0x04, 6);
    program(&mut machine, at);
    machine
}

fn program(machine: &mut Machine, at: &Where) {
    machine.set_u16(at.0, ENABLE | MASK_ALL);
    for vector in 0..3 {
        machine.set_entry(at.1, at.2, vector, 0x40 + vector as u32, 1);
    }
    machine.set_u16(at.0, ENABLE);
}

fn unmask(machine: &mut Machine, at: &Where, vector: u64, masked: bool) {
    machine.function.bar_write(at.1, at.2 + 16 * vector + 12, &u32::from(masked).to_le_bytes());
}

#[test]
fn linux_enables_masked_programs_and_unmasks() {
    let mut machine = enabled(NVME(), &NVME_TABLE);
    assert_eq!(machine.device.with(|state| (state.on, state.events.len())), (Some(PciIrq::Msix), 1));
    assert_eq!(machine.bound(), [None]);
    unmask(&mut machine, &NVME_TABLE, 0, false);
    unmask(&mut machine, &NVME_TABLE, 2, false);
    assert_eq!(machine.bound(), [Some(0x40), None, Some(0x42)]);
    unmask(&mut machine, &NVME_TABLE, 0, true);
    assert_eq!(machine.bound(), [None, None, Some(0x42)]);
    assert_eq!(machine.device.with(|state| state.enables), 2, "INTx at the start, then MSI-X once");
}

#[test]
fn a_kernel_that_cannot_add_vectors_gets_all_of_them_at_once() {
    let mut machine = enabled(E1000E(), &E1000E_TABLE);
    assert_eq!(machine.bound(), [None; 5]);
    unmask(&mut machine, &E1000E_TABLE, 2, false);
    unmask(&mut machine, &E1000E_TABLE, 1, false);
    assert_eq!(machine.bound(), [None, Some(0x41), Some(0x42), None, None]);
    assert_eq!(machine.device.with(|state| state.enables), 2);
}

#[test]
fn a_host_short_of_vectors_gets_the_set_anew_when_it_must_grow() {
    let device = FakeDevice::new(E1000E());
    device.with(|state| state.limit = Some(2));
    let mut machine = Machine::with(device);
    machine.set_u16(0x04, 6);
    program(&mut machine, &E1000E_TABLE);
    unmask(&mut machine, &E1000E_TABLE, 0, false);
    assert_eq!(machine.bound(), [Some(0x40)]);
    unmask(&mut machine, &E1000E_TABLE, 1, false);
    assert_eq!(machine.bound(), [Some(0x40), Some(0x41)]);
    unmask(&mut machine, &E1000E_TABLE, 2, false);
    assert_eq!(machine.bound(), [Some(0x40), Some(0x41)], "those that worked go on working");
    unmask(&mut machine, &E1000E_TABLE, 1, true);
    assert_eq!(machine.bound(), [Some(0x40), None]);
}

#[test]
fn the_function_mask_takes_all_events_away_and_gives_them_back() {
    let mut machine = enabled(NVME(), &NVME_TABLE);
    unmask(&mut machine, &NVME_TABLE, 1, false);
    machine.set_u16(0xb2, ENABLE | MASK_ALL);
    assert_eq!(machine.bound(), [None, None]);
    machine.set_u16(0xb2, ENABLE);
    assert_eq!(machine.bound(), [None, Some(0x41)]);
}

#[test]
fn a_route_outlives_its_event_so_that_no_interrupt_is_lost_at_the_mask() {
    let mut machine = enabled(NVME(), &NVME_TABLE);
    unmask(&mut machine, &NVME_TABLE, 0, false);
    unmask(&mut machine, &NVME_TABLE, 0, true);
    assert!(machine.msi.with_data(0x40).is_some());
    machine.function.reset();
    assert!(machine.msi.with_data(0x40).is_none());
}

#[test]
fn a_vector_that_moves_keeps_its_event() {
    let mut machine = enabled(NVME(), &NVME_TABLE);
    unmask(&mut machine, &NVME_TABLE, 0, false);
    machine.function.bar_write(0, 0x2008, &0x77u32.to_le_bytes());
    assert_eq!(machine.bound(), [Some(0x77)]);
}

#[test]
fn intx_steps_back_for_msix_and_returns_after_it() {
    let mut machine = Machine::new(NVME());
    assert_eq!(machine.device.with(|state| (state.on, state.unmask.is_some())), (Some(PciIrq::Intx), true));
    assert_eq!(machine.line.bound(), 1);
    machine.set_u16(0x04, 6);
    program(&mut machine, &NVME_TABLE);
    assert_eq!((machine.device.with(|state| state.on), machine.line.bound()), (Some(PciIrq::Msix), 0));
    machine.set_u16(0xb2, 0);
    assert_eq!((machine.device.with(|state| state.on), machine.line.bound()), (Some(PciIrq::Intx), 1));
}

#[test]
fn the_table_is_never_the_devices() {
    let mut machine = enabled(NVME(), &NVME_TABLE);
    machine.set_entry(0, 0x2000, 63, 0xabcd, 1);
    let mut data = [0; 4];
    machine.function.bar_read(0, 0x2000 + 16 * 63 + 8, &mut data);
    assert_eq!(u32::from_le_bytes(data), 0xabcd);
    // Its edges, and the pending bits, which are read from the device and never written.
    for (offset, len) in [(0x1ffe, 4), (0x23fc, 8), (0x2ffc, 8), (0x3004, 8), (0x3000, 8)] {
        machine.function.bar_write(0, offset, &[0; 8][..len]);
    }
    machine.function.bar_read(0, 0x3004, &mut data);
    assert_eq!(data, [0x5a; 4]);
    machine.function.bar_write(0, 0x2400, &[1; 4]);
    machine.function.bar_write(0, 0x3008, &[1; 4]);
    assert_eq!(machine.device.with(|state| state.bar_writes.clone()), [(0, 0x2400, 4), (0, 0x3008, 4)]);
}

#[test]
fn a_table_outside_its_bar_hides_the_capability() {
    for (at, word) in [(0xb4, 0x3ff8), (0xb4, 1), (0xb4, 7), (0xb8, 0x4000), (0xb8, 6)] {
        let mut image = NVME();
        image.config[at..at + 4].copy_from_slice(&u32::to_le_bytes(word));
        let mut machine = Machine::new(image);
        assert_eq!(machine.capabilities(), [(0x40, 0x01), (0x70, 0x10)], "{word:#x} at {at:#x}");
        machine.set_u16(0xb2, ENABLE);
        assert_eq!(machine.device.with(|state| state.on), Some(PciIrq::Intx));
    }
}
