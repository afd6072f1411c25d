//! Parts that the machine does not take at first, because another device is in the way.

use std::fs::File;
use std::sync::atomic::Ordering;

use base::MappedRegion;
use data_model::Span;
use rustix::fs::{MemfdFlags, memfd_create};

use crate::pci::PciFunction;
use crate::slots::{DirectMapping, MemoryMapper, SlotId};
use crate::vfio_pci::testing::{Machine, NVME};

const MEMORY: u16 = 2;

fn span(start: u64, len: u64) -> Span {
    Span::from_len(start, len).unwrap()
}

/// An NVMe device whose BAR was put where another device's still was, and the other's slot.
fn nvme_under_another() -> (Machine, SlotId) {
    let mut machine = Machine::new(NVME());
    let file = File::from(memfd_create("other", MemfdFlags::CLOEXEC).unwrap());
    file.set_len(0x1000).unwrap();
    let region = MappedRegion::new(&file, 0, 0x1000, true).unwrap().into();
    let other = machine.mapper.map(DirectMapping { span: span(0xc000_1000, 0x1000), region, offset: 0 });
    machine.device.with(|state| state.watched = None);
    machine.set_u32(0x10, 0xc000_0000);
    machine.set_u16(0x04, MEMORY);
    assert_eq!(machine.mapped(), [span(0xc000_1000, 0x1000)]);
    (machine, other.unwrap())
}

#[test]
fn a_refused_part_is_tried_again_when_the_guest_writes_its_registers() {
    let (mut machine, other) = nvme_under_another();
    machine.set_u16(0x04, MEMORY);
    assert_eq!(machine.mapped(), [span(0xc000_1000, 0x1000)]);
    machine.mapper.unmap(other).unwrap();
    machine.set_u16(0x04, MEMORY);
    assert_eq!(machine.mapped(), [span(0xc000_0000, 0x2000)]);
}

#[test]
fn a_refused_part_is_tried_again_when_it_is_used() {
    type Access = fn(&mut Machine);
    let accesses: [(&str, Access); 2] = [
        ("read", |machine| machine.function.bar_read(0, 0x1c, &mut [0; 4])),
        ("write", |machine| machine.function.bar_write(0, 0x14, &[0; 4])),
    ];
    for (name, access) in accesses {
        let (mut machine, other) = nvme_under_another();
        access(&mut machine);
        machine.mapper.unmap(other).unwrap();
        machine.function.bar_read(0, 0x2000, &mut [0; 4]);
        machine.function.bar_read(0, 0x3800, &mut [0; 4]);
        assert_eq!(machine.mapped(), [], "{name}: accesses to other pages are no reason");
        access(&mut machine);
        assert_eq!(machine.mapped(), [span(0xc000_0000, 0x2000)], "{name}");
    }
}

#[test]
fn a_part_that_is_refused_for_long_costs_little() {
    let (mut machine, _other) = nvme_under_another();
    let before = machine.mapper.asked.load(Ordering::Relaxed);
    for _ in 0..8192 {
        machine.function.bar_read(0, 0x1c, &mut [0; 4]);
    }
    assert_eq!(machine.mapper.asked.load(Ordering::Relaxed) - before, 10 + 8);
}

#[test]
fn a_refused_part_whose_bar_goes_is_not_tried_any_more() {
    let (mut machine, other) = nvme_under_another();
    machine.set_u16(0x04, 0);
    machine.mapper.unmap(other).unwrap();
    (0..4).for_each(|_| machine.function.bar_read(0, 0x1c, &mut [0; 4]));
    assert_eq!(machine.mapped(), []);
}
