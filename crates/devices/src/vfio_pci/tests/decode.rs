//! BARs: where they are decoded, mapped and trapped.

use std::sync::atomic::Ordering;

use data_model::Span;

use crate::pci::{BarWindow, PciFunction};
use crate::vfio_pci::testing::{E1000E, Machine, NVME};

const MEMORY: u16 = 2;
const IO: u16 = 1;

fn span(start: u64, len: u64) -> Span {
    Span::from_len(start, len).unwrap()
}

/// An NVMe device whose BAR lies at 0xc000_0000.
fn nvme_at_c0000000() -> Machine {
    let mut machine = Machine::new(NVME());
    machine.set_u32(0x10, 0xc000_0000);
    machine.set_u16(0x04, MEMORY);
    machine
}

#[test]
fn only_pages_without_msix_structures_are_mapped() {
    let machine = nvme_at_c0000000();
    assert_eq!(
        machine.function.windows(),
        [BarWindow { bar: 0, span: span(0xc000_0000, 0x4000), io: false }]
    );
    assert_eq!(machine.mapped(), [span(0xc000_0000, 0x2000)]);
}

#[test]
fn a_bar_that_moves_takes_its_mappings_along() {
    let mut machine = nvme_at_c0000000();
    machine.set_u32(0x14, 0x40);
    assert_eq!(machine.mapped(), [span(0x40_c000_0000, 0x2000)]);
    machine.set_u32(0x10, 0xd000_0000);
    assert_eq!(machine.mapped(), [span(0x40_d000_0000, 0x2000)]);
    assert_eq!(machine.function.windows()[0].span, span(0x40_d000_0000, 0x4000));
}

#[test]
fn mappings_follow_the_decode_bit() {
    let mut machine = nvme_at_c0000000();
    for _ in 0..2 {
        machine.set_u16(0x04, 0);
        assert_eq!((machine.mapped(), machine.function.windows()), (vec![], vec![]));
        machine.set_u16(0x04, MEMORY);
        assert_eq!(machine.mapped(), [span(0xc000_0000, 0x2000)]);
    }
}

#[test]
fn sizing_a_bar_while_it_decodes_leaves_nothing_behind() {
    let mut machine = nvme_at_c0000000();
    for half in [0x10, 0x14] {
        let before = machine.u32(half);
        machine.set_u32(half, u32::MAX);
        machine.set_u32(half, before);
    }
    assert_eq!(machine.mapped(), [span(0xc000_0000, 0x2000)]);
}

#[test]
fn two_bars_may_change_places() {
    let mut machine = Machine::new(E1000E());
    machine.set_u32(0x10, 0xc000_0000);
    machine.set_u32(0x14, 0xc002_0000);
    machine.set_u16(0x04, MEMORY);
    machine.set_u32(0x14, 0xd000_0000);
    machine.set_u32(0x10, 0xc002_0000);
    machine.set_u32(0x14, 0xc000_0000);
    assert_eq!(machine.mapped(), [span(0xc000_0000, 0x1_0000), span(0xc002_0000, 0x2_0000)]);
}

#[test]
fn a_bar_at_the_end_of_the_address_space_is_no_reason_to_panic() {
    let mut machine = nvme_at_c0000000();
    machine.set_u32(0x14, u32::MAX);
    machine.set_u32(0x10, 0xffff_8000);
    assert_eq!(machine.function.windows()[0].span.last(), 0xffff_ffff_ffff_bfff);
}

#[test]
fn ports_are_trapped_and_decode_on_their_own_bit() {
    let mut machine = Machine::new(E1000E());
    machine.set_u32(0x18, 0xe000);
    machine.set_u16(0x04, IO);
    assert_eq!(machine.function.windows(), [BarWindow { bar: 2, span: span(0xe000, 0x20), io: true }]);
    assert_eq!(machine.mapped(), []);
    machine.function.bar_write(2, 4, &[1, 2, 3, 4]);
    let mut data = [0; 4];
    machine.function.bar_read(2, 4, &mut data);
    assert_eq!(data, [1, 2, 3, 4]);
}

#[test]
fn a_mapping_that_the_machine_refuses_is_trapped_instead() {
    let mut machine = Machine::new(NVME());
    machine.mapper.refuse.store(true, Ordering::Relaxed);
    machine.set_u32(0x10, 0xc000_0000);
    machine.set_u16(0x04, MEMORY);
    assert_eq!((machine.mapped(), machine.function.windows().len()), (vec![], 1));
    machine.function.bar_write(0, 0x14, &[9; 4]);
    let mut data = [0; 4];
    machine.function.bar_read(0, 0x14, &mut data);
    assert_eq!(data, [9; 4]);
    machine.mapper.refuse.store(false, Ordering::Relaxed);
    machine.set_u32(0x10, 0xd000_0000);
    assert_eq!(machine.mapped(), [span(0xd000_0000, 0x2000)]);
}

#[test]
fn an_access_that_the_device_does_not_answer_reads_as_ones() {
    let mut machine = nvme_at_c0000000();
    for (bar, offset) in [(0, 0x4000), (0, u64::MAX), (3, 0), (7, 0)] {
        let mut data = [0; 8];
        machine.function.bar_read(bar, offset, &mut data);
        assert_eq!(data, [0xff; 8], "BAR {bar} at {offset:#x}");
        machine.function.bar_write(bar, offset, &data);
    }
    assert_eq!(machine.device.with(|state| state.bar_writes.len()), 0);
}

#[test]
fn a_sleeping_device_decodes_nothing_until_it_wakes() {
    let mut machine = nvme_at_c0000000();
    machine.set_u16(0x44, 3);
    assert_eq!((machine.mapped(), machine.function.windows()), (vec![], vec![]));
    machine.set_u16(0x04, 0);
    machine.set_u16(0x04, MEMORY);
    assert_eq!(machine.mapped(), []);
    machine.set_u16(0x44, 0);
    assert_eq!(machine.mapped(), [span(0xc000_0000, 0x2000)]);
}

#[test]
fn what_the_device_says_of_its_power_state_counts_not_what_was_written() {
    let here = vec![span(0xc000_0000, 0x2000)];
    let cases: [(&str, &[u16], bool); 6] = [
        ("D1 and back", &[1, 0], true),
        ("D2", &[2], true),
        ("the kernel refuses D3hot to D1", &[3, 1], false),
        ("the kernel refuses D3hot to D2", &[3, 2], false),
        ("by D0", &[3, 1, 0, 1], true),
        ("asleep twice", &[3, 3, 0], true),
    ];
    for (name, states, awake) in cases {
        let mut machine = nvme_at_c0000000();
        states.iter().for_each(|state| machine.set_u16(0x44, *state));
        let expected = if awake { here.clone() } else { Vec::new() };
        assert_eq!((machine.mapped(), machine.function.windows().len()), (expected, awake.into()), "{name}");
    }
}

#[test]
fn a_device_without_d1_stays_where_it_was() {
    let mut machine = Machine::new(E1000E());
    machine.set_u32(0x10, 0xc000_0000);
    machine.set_u16(0x04, MEMORY);
    for (state, parts) in [(1, 1), (3, 0), (1, 0), (2, 0), (0, 1)] {
        machine.set_u16(0xcc, state);
        let there = machine.mapped().iter().filter(|part| part.start() == 0xc000_0000).count();
        assert_eq!(there, parts, "D{state}");
    }
}

#[test]
fn a_device_whose_power_state_cannot_be_read_is_asleep() {
    let mut machine = nvme_at_c0000000();
    machine.device.with(|state| state.gone = true);
    machine.set_u16(0x44, 0);
    assert_eq!((machine.mapped(), machine.function.windows()), (vec![], vec![]));
    machine.function.reset();
    machine.set_u32(0x10, 0xc000_0000);
    machine.set_u16(0x04, MEMORY);
    assert_eq!((machine.mapped(), machine.function.windows()), (vec![], vec![]), "not even after a reset");
}

#[test]
fn without_a_port_space_there_is_no_bar_of_ports_and_the_others_are_as_ever() {
    let mut machine = Machine::without_ports(E1000E());
    let expected = [0xfffe_0000, 0xffff_0000, 0, 0xffff_c008];
    for (bar, size) in (0u16..).zip(expected) {
        machine.set_u32(0x10 + 4 * bar, u32::MAX);
        assert_eq!(machine.u32(0x10 + 4 * bar), size, "BAR {bar}");
        machine.set_u32(0x10 + 4 * bar, 0xc000_0000 + (u32::from(bar) << 20));
    }
    machine.set_u16(0x04, IO | MEMORY);
    let windows: Vec<u8> = machine.function.windows().iter().map(|window| window.bar).collect();
    assert_eq!(windows, [0, 1, 3]);
}
