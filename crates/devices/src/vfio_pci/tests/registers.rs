//! What a guest finds in the configuration space, and what of its writes reaches the device.

use crate::pci::PciFunction;
use crate::vfio_pci::VfioPciError;
use crate::vfio_pci::testing::{E1000E, FakeDevice, Machine, NVME};

/// Writes that reached the device's space since the machine started, without those to the command register.
fn writes(machine: &Machine) -> Vec<(usize, Vec<u8>)> {
    machine.device.with(|state| state.config_writes.iter().filter(|(at, _)| *at != 4).cloned().collect())
}

#[test]
fn a_guest_finds_the_devices_identity_and_the_capabilities_it_can_use() {
    let mut nvme = Machine::new(NVME());
    assert_eq!(nvme.u32(0x00), 0xa808_144d);
    assert_eq!(nvme.u32(0x08) >> 8, 0x01_0802);
    assert_eq!(nvme.u32(0x2c), 0xa801_144d);
    assert_eq!(nvme.capabilities(), [(0x40, 0x01), (0x70, 0x10), (0xb0, 0x11)]);
    let mut e1000e = Machine::new(E1000E());
    assert_eq!(e1000e.capabilities(), [(0xc8, 0x01), (0xd0, 0x05), (0xe8, 0x10), (0xa0, 0x11)]);
}

#[test]
fn the_interrupt_pin_is_inta_and_the_line_register_is_the_guests_own() {
    let mut machine = Machine::new(E1000E());
    assert_eq!(machine.u8(0x3d), 1);
    machine.function.config_write(0x3c, &[0x17, 0xff]);
    assert_eq!(machine.u16(0x3c), 0x0117);
    assert_eq!(writes(&machine), []);
}

#[test]
fn bars_tell_their_size_and_never_reach_the_device() {
    let mut machine = Machine::new(E1000E());
    let expected = [0xfffe_0000, 0xffff_0000, 0xffff_ffe1, 0xffff_c008, 0, 0];
    for (bar, size) in (0u16..).zip(expected) {
        machine.set_u32(0x10 + 4 * bar, u32::MAX);
        assert_eq!(machine.u32(0x10 + 4 * bar), size, "BAR {bar}");
    }
    machine.set_u32(0x30, u32::MAX);
    assert_eq!(machine.u32(0x30), 0, "the ROM is hidden");
    assert_eq!(writes(&machine), []);
    assert_eq!(machine.device.with(|state| state.config[0x10..0x14].to_vec()), [0, 0, 0xa0, 0xf7]);
}

#[test]
fn a_64_bit_bar_tells_its_size_in_both_halves() {
    let mut machine = Machine::new(NVME());
    machine.set_u32(0x10, u32::MAX);
    machine.set_u32(0x14, u32::MAX);
    assert_eq!((machine.u32(0x10), machine.u32(0x14)), (0xffff_c004, u32::MAX));
}

#[test]
fn the_command_register_reaches_the_device_whole_and_the_status_register_keeps_its_bits() {
    let mut machine = Machine::new(NVME());
    machine.set_u32(0x04, 0xffff_0406);
    assert_eq!(machine.device.with(|state| state.command()), 0x0406);
    assert_eq!(writes(&machine), [(6, vec![0xff, 0xff])]);
    assert_eq!(machine.u16(0x04), 0x0406);
}

#[test]
fn power_management_shows_no_pme_and_passes_the_state_alone() {
    let mut machine = Machine::new(NVME());
    assert_eq!(machine.u16(0x42), 0x07c3);
    machine.set_u16(0x44, 0x8103);
    assert_eq!(writes(&machine), [(0x44, vec![3])]);
}

#[test]
fn express_is_an_endpoint_without_control_over_the_link() {
    let mut machine = Machine::new(NVME());
    assert_eq!(machine.u16(0x72), 0x0002, "version 2, endpoint, no slot");
    assert_eq!(machine.u32(0x7c), 0x0043_7043, "no link power states, no clock power management");
    machine.set_u16(0x80, 0x0143);
    assert_eq!(machine.u16(0x80), 0);
    assert_eq!(writes(&machine), []);
    machine.set_u16(0x78, 0x5910);
    assert_eq!(writes(&machine), [(0x78, vec![0x10, 0x59])], "device control is the device's");
}

#[test]
fn extended_capabilities_about_the_bus_are_hidden() {
    let mut machine = Machine::new(NVME());
    assert_eq!(machine.u32(0x100), 0x1481_0000, "a null capability stands where AER was");
    assert_eq!(machine.u32(0x148), 0x1a01_0003);
    assert_eq!(machine.u32(0x14c), 0x1122_3344);
    assert_eq!((machine.u32(0x158), machine.u32(0x15c)), (0, 0), "SR-IOV");
    assert_eq!(machine.u32(0x1a0), 0x0001_000b);
    for at in [0x100, 0x14c, 0x15c] {
        machine.set_u32(at, u32::MAX);
    }
    assert_eq!(writes(&machine), []);
}

#[test]
fn a_device_without_extended_space_has_an_empty_one() {
    let mut machine = Machine::new(E1000E());
    for at in (0x100..0x1000).step_by(4) {
        assert_eq!(machine.u32(at), 0);
        machine.set_u32(at, u32::MAX);
    }
    assert_eq!(writes(&machine), []);
}

#[test]
fn a_bridge_cannot_be_assigned() {
    let mut image = E1000E();
    image.config[0x0e] = 0x81;
    let error = Machine::try_with(FakeDevice::new(image)).err().unwrap();
    assert!(matches!(error, VfioPciError::Header { header: 1, .. }), "{error}");
}

#[test]
fn product_data_can_be_read_but_never_changed() {
    let mut image = E1000E();
    image.config[0xc9] = 0x40;
    image.config[0x40..0x42].copy_from_slice(&[0x03, 0xd0]);
    let mut machine = Machine::new(image);
    machine.set_u16(0x42, 0x0010);
    assert_eq!(writes(&machine), [(0x42, vec![0x10, 0x00])], "a read starts");
    machine.set_u16(0x42, 0x8010);
    let started = machine.device.with(|state| state.config[0x43] & 0x80 != 0);
    assert!(!started, "no write starts");
}
