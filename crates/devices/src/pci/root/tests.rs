use proptest::prelude::*;

use super::*;
use crate::pci::fake::FakeFunction;
use crate::pci::{BarKind, ConfigPorts, Ecam};
use crate::platform::MachineControl;

const MEMORY32: BarKind = BarKind::Memory32 { prefetchable: false };
const MEMORY64: BarKind = BarKind::Memory64 { prefetchable: true };

fn bdf(text: &str) -> Bdf {
    text.parse().unwrap()
}

struct Machine {
    memory: Arc<Bus>,
    ports: Arc<Bus>,
    root: Arc<PciRoot>,
}

fn machine() -> Machine {
    let (memory, ports) = (Arc::new(Bus::default()), Arc::new(Bus::default()));
    let root = Arc::new(PciRoot::new(memory.clone(), Some(ports.clone())));
    Machine { memory, ports, root }
}

fn write32(root: &PciRoot, at: Bdf, register: u16, value: u32) {
    root.config_write(at, register, &value.to_le_bytes());
}

fn read32(root: &PciRoot, at: Bdf, register: u16) -> u32 {
    let mut raw = [0; 4];
    root.config_read(at, register, &mut raw);
    u32::from_le_bytes(raw)
}

/// What a byte read of the memory bus gives; `None` when nobody answers.
fn peek(bus: &Bus, address: u64) -> Option<u8> {
    let mut data = [0];
    bus.read(address, &mut data).then_some(data[0])
}

#[test]
fn bars_follow_every_write() {
    let Machine { memory, ports, root } = machine();
    let at = bdf("00:01.0");
    root.add(at, FakeFunction::new(&[(0, MEMORY32, 0x1000), (2, MEMORY64, 0x1000), (4, BarKind::Io, 0x10)]))
        .unwrap();
    write32(&root, at, 0x10, 0xe000_0000);
    write32(&root, at, 0x18, 0x1000);
    write32(&root, at, 0x1c, 0x10);
    write32(&root, at, 0x20, 0x2000);
    assert_eq!(peek(&memory, 0xe000_0003), None, "decoding is off");
    write32(&root, at, regs::COMMAND, 3);
    assert_eq!(peek(&memory, 0xe000_0003), Some(0x03));
    assert_eq!(peek(&memory, 0x10_0000_1005), Some(0x25));
    assert_eq!(peek(&ports, 0x2001), Some(0x41));
    write32(&root, at, 0x1c, 0x20);
    assert_eq!((peek(&memory, 0x10_0000_1005), peek(&memory, 0x20_0000_1005)), (None, Some(0x25)));
    write32(&root, at, 0x10, u32::MAX);
    assert_eq!(peek(&memory, 0xe000_0003), None, "being sized");
    write32(&root, at, 0x10, 0xe100_0000);
    assert_eq!(peek(&memory, 0xe100_0003), Some(0x03));
    write32(&root, at, regs::COMMAND, 0);
    assert_eq!((peek(&memory, 0xe100_0003), peek(&ports, 0x2001)), (None, None));
}

#[test]
fn a_bar_over_something_else_is_refused_until_that_is_gone() {
    let Machine { memory, root, .. } = machine();
    let (one, two) = (bdf("00:01.0"), bdf("00:02.0"));
    root.add(one, FakeFunction::new(&[(0, MEMORY32, 0x2000)])).unwrap();
    root.add(two, FakeFunction::new(&[(1, MEMORY32, 0x1000)])).unwrap();
    for (at, register, address) in [(one, 0x10, 0xe000_0000), (two, 0x14, 0xe000_1000)] {
        write32(&root, at, register, address);
        write32(&root, at, regs::COMMAND, 2);
    }
    assert_eq!(peek(&memory, 0xe000_1001), Some(0x01), "who came first stays");
    assert_eq!(root.refused().len(), 1);
    write32(&root, one, 0x10, 0xe010_0000);
    assert_eq!(peek(&memory, 0xe000_1001), Some(0x11));
    assert_eq!(root.refused(), []);
}

#[test]
fn functions_behind_a_port_answer_on_its_bus_only() {
    let Machine { root, .. } = machine();
    let port = root.add_port(bdf("00:03.0"), RootPort::new(1).unwrap()).unwrap();
    root.add_behind(port, 0, FakeFunction::new(&[])).unwrap();
    root.add_behind(port, 1, FakeFunction::new(&[])).unwrap();
    let there = |text| read32(&root, bdf(text), 0) == 0x5678_1234;
    assert!(!there("00:00.1") && !there("01:00.0"), "no bus number yet");
    root.config_write(bdf("00:03.0"), regs::PRIMARY_BUS, &[0, 5, 5]);
    let expect =
        [("05:00.0", true), ("05:00.1", true), ("05:00.2", false), ("05:01.0", false), ("06:00.0", false)];
    for (text, present) in expect {
        assert_eq!(there(text), present, "{text}");
    }
    let header = |root: &PciRoot, at| {
        let mut header = [0; 2];
        root.config_read(bdf(at), regs::HEADER_TYPE, &mut header);
        header[0]
    };
    assert_eq!([header(&root, "05:00.0"), header(&root, "05:00.1")], [0x80; 2], "each has siblings");
    assert_eq!(header(&root, "00:00.0"), 0, "the host bridge has none");
    assert_eq!(read32(&root, bdf("00:03.0"), regs::REVISION) >> 8, 0x06_0400);
    assert_eq!(read32(&root, bdf("00:03.0"), 0x100) & 0xffff, u32::from(regs::EXT_ACS));
    assert_eq!(read32(&root, bdf("00:03.0"), 0x104) & 0x1d, 0x1d);
    assert_eq!(read32(&root, bdf("00:00.0"), regs::REVISION) >> 8, 0x06_0000);
    assert!(root.remove_behind(port, 1).is_some() && !there("05:00.1"));
    assert_eq!(header(&root, "05:00.0"), 0, "alone again");
    assert!(root.remove_behind(port, 0).is_some() && !there("05:00.0"));
}

#[test]
fn a_secondary_bus_reset_resets_what_is_behind() {
    let Machine { memory, root, .. } = machine();
    let port = root.add_port(bdf("00:01.0"), RootPort::new(1).unwrap()).unwrap();
    let device = FakeFunction::new(&[(0, MEMORY32, 0x1000)]);
    let other = FakeFunction::new(&[]);
    root.add_behind(port, 0, device.clone()).unwrap();
    root.add(bdf("00:02.0"), other.clone()).unwrap();
    root.config_write(bdf("00:01.0"), regs::PRIMARY_BUS, &[0, 1, 1]);
    write32(&root, bdf("01:00.0"), 0x10, 0xe000_0000);
    write32(&root, bdf("01:00.0"), regs::COMMAND, 2);
    assert!(peek(&memory, 0xe000_0000).is_some());
    for control in [0x40u16, 0x40, 0] {
        root.config_write(bdf("00:01.0"), regs::BRIDGE_CONTROL, &control.to_le_bytes());
        assert_eq!(device.lock().resets, 1, "once, when the bit goes up");
    }
    assert_eq!(other.lock().resets, 0);
    assert_eq!(peek(&memory, 0xe000_0000), None);
}

#[test]
fn places_are_given_once() {
    let Machine { root, .. } = machine();
    assert_eq!(root.add(bdf("00:00.0"), FakeFunction::new(&[])), Err(PciError::Taken(bdf("00:00.0"))));
    assert_eq!(root.add(bdf("01:00.0"), FakeFunction::new(&[])), Err(PciError::NotRootBus(bdf("01:00.0"))));
    let port = root.add_port(bdf("00:01.0"), RootPort::new(1).unwrap()).unwrap();
    root.add_behind(port, 0, FakeFunction::new(&[])).unwrap();
    for function in [0, 8] {
        let refused = root.add_behind(port, function, FakeFunction::new(&[]));
        assert_eq!(refused, Err(PciError::TakenBehind { port: bdf("00:01.0"), function }));
    }
}

struct Nothing;

impl MachineControl for Nothing {
    fn power_off(&self) {}
    fn reset(&self) {}
}

#[test]
fn both_mechanisms_reach_the_same_registers() {
    let Machine { root, .. } = machine();
    root.add(bdf("00:1f.7"), FakeFunction::new(&[])).unwrap();
    let mut ports = ConfigPorts::new(root.clone(), Arc::new(Nothing));
    let mut ecam = Ecam(root);
    ports.write(0, &(1u32 << 31 | 0xff << 8).to_le_bytes());
    for (offset, len) in [(0u64, 4usize), (0, 2), (2, 2), (1, 1), (3, 1)] {
        let (mut one, mut two) = ([0; 4], [0; 4]);
        ports.read(4 + offset, &mut one[..len]);
        ecam.read(0xff << 12 | offset, &mut two[..len]);
        assert_eq!(one, two);
        assert_eq!(one[..len], [0x34, 0x12, 0x78, 0x56][offset as usize..][..len]);
    }
    ports.write(0, &(1u32 << 31 | 0xff << 8 | 0x3c).to_le_bytes());
    ports.write(4, &[9]);
    let mut line = [0];
    ecam.read(0xff << 12 | 0x3c, &mut line);
    assert_eq!(line, [9]);
    ports.write(0, &0x3cu32.to_le_bytes());
    ports.read(4, &mut line);
    assert_eq!(line, [0xff], "not enabled");
}

#[test]
fn a_guest_on_many_processors_cannot_jam_the_locks() {
    let Machine { memory, root, .. } = machine();
    for device in 1..4 {
        root.add(Bdf::new(0, device, 0).unwrap(), FakeFunction::new(&[(0, MEMORY32, 0x1000)])).unwrap();
    }
    std::thread::scope(|scope| {
        for device in 1..4u8 {
            let (root, memory) = (&root, &memory);
            scope.spawn(move || {
                let at = Bdf::new(0, device, 0).unwrap();
                for n in 0..2000u32 {
                    write32(root, at, regs::COMMAND, 2);
                    write32(root, at, 0x10, 0xe000_0000 + (n % 3) * 0x1000);
                    memory.write(0xe000_0000 + u64::from(n % 5) * 0x800, &[1, 2, 3, 4]);
                }
                write32(root, at, 0x10, 0xe000_0000 + u32::from(device) * 0x1000);
            });
        }
    });
    assert_eq!(root.refused(), []);
    assert_eq!((1..4).filter(|n| peek(&memory, 0xe000_0000 + n * 0x1000).is_some()).count(), 3);
}

proptest! {
    #[test]
    fn any_configuration_access_is_safe(
        accesses in proptest::collection::vec((any::<u16>(), 0u16..4200, proptest::collection::vec(any::<u8>(), 0..9)), 1..60),
    ) {
        let Machine { root, .. } = machine();
        let port = root.add_port(bdf("00:01.0"), RootPort::new(1).unwrap()).unwrap();
        root.add_behind(port, 0, FakeFunction::new(&[(0, MEMORY64, 1 << 30), (4, BarKind::Io, 0x100)])).unwrap();
        for (at, offset, data) in accesses {
            // Mostly functions that exist.
            let at = Bdf::from_id([0, 8, 0x100, at][usize::from(at % 4)]);
            root.config_write(at, offset, &data);
            let mut back = data.clone();
            root.config_read(at, offset, &mut back);
        }
        root.reset();
        prop_assert_eq!(read32(&root, bdf("00:01.0"), regs::PRIMARY_BUS), 0);
    }
}
