//! MSI: the block, its masks, and its messages.

use vfio::PciIrq;

use crate::vfio_pci::testing::{E1000E, Machine};

/// The capability lies at 0xd0: control, address, data and mask.
const CONTROL: u16 = 0xd2;
const DATA: u16 = 0xdc;
const MASK: u16 = 0xe0;

/// MSI on with `1 << log` vectors.
fn enabled(log: u16) -> Machine {
    let mut machine = Machine::new(E1000E());
    machine.set_u32(0xd4, 0xfee0_2000);
    machine.set_u32(0xd8, 0);
    machine.set_u16(DATA, 0x4030);
    machine.set_u16(CONTROL, 1 | log << 4);
    machine
}

#[test]
fn every_vector_of_the_block_has_its_own_data() {
    for (log, expected) in
        [(0, vec![0x4030]), (1, vec![0x4030, 0x4031]), (2, vec![0x4030, 0x4031, 0x4032, 0x4033])]
    {
        let machine = enabled(log);
        assert_eq!(machine.device.with(|state| state.on), Some(PciIrq::Msi));
        let expected: Vec<Option<u32>> = expected.into_iter().map(Some).collect();
        assert_eq!(machine.bound(), expected, "{} vectors", 1 << log);
    }
}

#[test]
fn more_vectors_than_the_device_has_are_cut_down_to_those() {
    assert_eq!(enabled(7).bound().len(), 4);
}

#[test]
fn masked_vectors_lose_their_event_until_unmasked() {
    let mut machine = enabled(1);
    machine.set_u32(MASK, 0b10);
    assert_eq!(machine.bound(), [Some(0x4030), None]);
    machine.set_u32(MASK, 0b01);
    assert_eq!(machine.bound(), [None, Some(0x4031)]);
    machine.set_u32(MASK, 0);
    assert_eq!(machine.bound(), [Some(0x4030), Some(0x4031)]);
    assert_eq!(machine.device.with(|state| state.enables), 2, "INTx at the start, MSI once");
}

#[test]
fn a_new_message_is_routed_without_switching_off() {
    let mut machine = enabled(0);
    machine.set_u16(DATA, 0x4055);
    assert_eq!(machine.bound(), [Some(0x4055)]);
    assert_eq!(machine.device.with(|state| state.enables), 2);
}

#[test]
fn a_block_of_another_size_is_enabled_anew() {
    let mut machine = enabled(0);
    machine.set_u16(CONTROL, 1 | 2 << 4);
    assert_eq!(machine.bound().len(), 4);
    machine.set_u16(CONTROL, 0);
    assert_eq!(machine.device.with(|state| state.on), Some(PciIrq::Intx));
}

#[test]
fn msix_wins_when_both_are_switched_on() {
    let mut machine = enabled(0);
    machine.set_u16(0xa2, 0x8000);
    assert_eq!(machine.device.with(|state| state.on), Some(PciIrq::Msix));
    machine.set_u16(DATA, 0x1111);
    assert_eq!(machine.device.with(|state| state.on), Some(PciIrq::Msix));
    machine.set_u16(0xa2, 0);
    assert_eq!(machine.bound(), [Some(0x1111)]);
}

#[test]
fn nothing_of_the_capability_reaches_the_device() {
    let machine = enabled(1);
    let touched = machine
        .device
        .with(|state| state.config_writes.iter().any(|(at, bytes)| *at < 0xe8 && at + bytes.len() > 0xd0));
    assert!(!touched);
}
