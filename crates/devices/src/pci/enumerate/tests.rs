use std::sync::Arc;

use super::*;
use crate::bus::Bus;
use crate::pci::RootPort;
use crate::pci::fake::FakeFunction;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const M32: BarKind = BarKind::Memory32 { prefetchable: false };
const M64: BarKind = BarKind::Memory64 { prefetchable: false };
const P64: BarKind = BarKind::Memory64 { prefetchable: true };
const IO: BarKind = BarKind::Io;

fn bdf(text: &str) -> Bdf {
    text.parse().unwrap()
}

fn span(start: u64, last: u64) -> Span {
    Span::new(start, last).unwrap()
}

fn apertures() -> Apertures<'static> {
    Apertures {
        memory32: span(0xc000_0000, 0xdfff_ffff),
        memory64: Some(span(0x40_0000_0000, 0x4f_ffff_ffff)),
        ports: Some(span(0x1000, 0xefff)),
        lines: Some([10, 11, 12, 13]),
        no_master: &[],
        buses: &[],
    }
}

type Bars<'a> = &'a [(u8, BarKind, u64)];

/// One device on the root bus, then one behind each of two ports.
fn machine(on_root: Bars<'_>, first: Bars<'_>, second: Bars<'_>) -> (Arc<Bus>, PciRoot) {
    let memory = Arc::new(Bus::default());
    let root = PciRoot::new(memory.clone(), Some(Arc::new(Bus::default())));
    root.add(bdf("00:01.0"), FakeFunction::new(on_root)).unwrap();
    for (at, slot, bars) in [("00:02.0", 1, first), ("00:03.0", 2, second)] {
        let port = root.add_port(bdf(at), RootPort::new(slot).unwrap()).unwrap();
        root.add_behind(port, 0, FakeFunction::new(bars)).unwrap();
    }
    (memory, root)
}

fn window(root: &PciRoot, at: &str) -> Option<Span> {
    let raw = read_u32(root, bdf(at), regs::MEMORY_BASE);
    Span::new(u64::from(raw & 0xfff0) << 16, u64::from(raw >> 20) << 20 | 0xf_ffff)
}

fn prefetch_window(root: &PciRoot, at: &str) -> Option<Span> {
    let raw = read_u32(root, bdf(at), regs::PREFETCH_BASE);
    let base = u64::from(read_u32(root, bdf(at), regs::PREFETCH_BASE_UPPER)) << 32;
    let limit = u64::from(read_u32(root, bdf(at), regs::PREFETCH_BASE_UPPER + 4)) << 32;
    Span::new(base | u64::from(raw & 0xfff0) << 16, limit | u64::from(raw >> 20) << 20 | 0xf_ffff)
}

#[test]
fn every_bar_gets_a_place_that_decodes_and_passes_its_bridge() {
    let on_root: Bars<'_> = &[(0, P64, 0x4000), (2, M32, 0x100), (3, IO, 0x20)];
    let first: Bars<'_> = &[(0, M64, 16 * MIB), (2, P64, 8 * GIB), (4, P64, 32 * MIB)];
    let second: Bars<'_> = &[(0, M32, 0x1000), (1, M32, 0x10), (5, IO, 0x80)];
    let (memory, root) = machine(on_root, first, second);
    let placed = enumerate(&root, &apertures()).unwrap();
    let names: Vec<_> = placed.iter().map(|one| (one.at.to_string(), one.bar, one.io)).collect();
    assert_eq!(names.len(), 8, "all but the port BAR behind a port: {names:?}");
    for one in placed.iter().filter(|one| !one.io) {
        assert!(one.span.is_aligned(one.span.len().unwrap()));
        assert!(memory.read(one.span.start(), &mut [0]), "{one:?}");
        let high = one.span.start() >= 4 * GIB;
        let inside = match (one.at.bus(), high) {
            (0, _) => None,
            (1, false) => window(&root, "00:02.0"),
            (1, true) => prefetch_window(&root, "00:02.0"),
            (_, false) => window(&root, "00:03.0"),
            (_, true) => prefetch_window(&root, "00:03.0"),
        };
        assert!(one.at.bus() == 0 || inside.unwrap().covers(&one.span), "{one:?} {inside:x?}");
    }
    for (n, one) in placed.iter().enumerate() {
        assert!(placed[n + 1..].iter().all(|other| one.io != other.io || !one.span.overlaps(&other.span)));
    }
    assert!(!window(&root, "00:02.0").unwrap().overlaps(&window(&root, "00:03.0").unwrap()));
    assert_eq!(prefetch_window(&root, "00:03.0"), None, "closed");
    assert_eq!(read_u32(&root, bdf("00:02.0"), regs::PRIMARY_BUS) & 0xff_ffff, 0x01_0100);
    assert_eq!(read_u32(&root, bdf("00:03.0"), regs::PRIMARY_BUS) & 0xff_ffff, 0x02_0200);
}

#[test]
fn the_same_machine_gets_the_same_addresses() {
    let lay_out = || {
        let (_, root) = machine(&[(0, P64, 0x4000)], &[(0, M32, MIB), (2, P64, MIB)], &[(0, M32, 0x1000)]);
        let first = enumerate(&root, &apertures()).unwrap();
        assert_eq!(enumerate(&root, &apertures()).unwrap(), first, "and again after a reset of the machine");
        first
    };
    assert_eq!(lay_out(), lay_out());
}

#[test]
fn bus_mastering_of_assigned_functions_is_left_to_the_guest() {
    let (_, root) = machine(&[(0, M32, 0x1000)], &[(0, M32, 0x1000)], &[]);
    let assigned = [bdf("01:00.0")];
    enumerate(&root, &Apertures { no_master: &assigned, ..apertures() }).unwrap();
    for (at, command) in [("00:01.0", 6), ("01:00.0", 2), ("00:02.0", 6), ("02:00.0", 4)] {
        assert_eq!(read_u16(&root, bdf(at), regs::COMMAND), command, "{at}");
    }
    for (at, line) in [("00:01.0", 11), ("01:00.0", 12), ("02:00.0", 13)] {
        assert_eq!(read_u8(&root, bdf(at), regs::INTERRUPT_LINE), line, "{at}");
    }
}

#[test]
fn ports_get_the_buses_that_were_planned() {
    let secondary = |root: &PciRoot, at| read_u8(root, bdf(at), regs::PRIMARY_BUS + 1);
    let planned =
        |list: &[(&str, u8)]| -> Vec<(Bdf, u8)> { list.iter().map(|(at, bus)| (bdf(at), *bus)).collect() };
    for (buses, first, second) in [
        (planned(&[]), 1, 2),
        (planned(&[("00:02.0", 28), ("00:03.0", 5)]), 28, 5),
        (planned(&[("00:03.0", 1)]), 2, 1),
    ] {
        let (_, root) = machine(&[], &[(0, M32, 0x1000)], &[(0, M32, 0x1000)]);
        let placed = enumerate(&root, &Apertures { buses: &buses, ..apertures() }).unwrap();
        assert_eq!([secondary(&root, "00:02.0"), secondary(&root, "00:03.0")], [first, second]);
        let mut there: Vec<u8> = placed.iter().map(|one| one.at.bus()).collect();
        there.sort_unstable();
        assert_eq!(there, [first.min(second), first.max(second)], "the functions answer there");
    }
}

#[test]
fn functions_of_one_slot_share_a_window_that_holds_all_of_them() {
    let (memory, root) = machine(&[], &[(0, M32, 16 * MIB), (2, P64, MIB)], &[]);
    let port = root.add_port(bdf("00:04.0"), RootPort::new(3).unwrap()).unwrap();
    for function in 0..8 {
        let bars: Bars<'_> = &[(0, M32, 16 * MIB), (2, P64, 32 * MIB)];
        root.add_behind(port, function, FakeFunction::new(bars)).unwrap();
    }
    let placed = enumerate(&root, &apertures()).unwrap();
    let slot: Vec<_> = placed.iter().filter(|one| one.at.bus() == 3).collect();
    assert_eq!(slot.len(), 16);
    let (below, above) = (window(&root, "00:04.0").unwrap(), prefetch_window(&root, "00:04.0").unwrap());
    assert!(below.len().unwrap() >= 128 * MIB && above.len().unwrap() >= 256 * MIB, "{below} {above}");
    for one in slot {
        assert!(below.covers(&one.span) || above.covers(&one.span), "{one:?}");
        assert!(memory.read(one.span.start(), &mut [0]), "{one:?}");
        assert_eq!(read_u8(&root, one.at, regs::INTERRUPT_LINE), 10, "the port's own line: all have pin A");
    }
}

#[test]
fn without_high_memory_everything_goes_below_4_gib() {
    let (_, root) = machine(&[(0, P64, 0x4000)], &[(0, P64, MIB)], &[]);
    let placed = enumerate(&root, &Apertures { memory64: None, ports: None, ..apertures() }).unwrap();
    assert_eq!(placed.len(), 2);
    assert!(placed.iter().all(|one| apertures().memory32.covers(&one.span)), "{placed:?}");
}

#[test]
fn what_does_not_fit_is_named() {
    let window = apertures().memory32;
    let at = bdf("00:01.0");
    let (_, root) = machine(&[(1, M32, GIB)], &[], &[]);
    let error = enumerate(&root, &apertures()).unwrap_err();
    assert_eq!(error, EnumerateError::NoRoom { at, bar: 1, size: GIB, what: "32-bit memory", window });
    assert!(error.to_string().contains("00:01.0: BAR 1 of 0x40000000 bytes"), "{error}");
    let (_, root) = machine(&[], &[(0, M32, 256 * MIB), (1, M32, 256 * MIB), (2, M32, MIB)], &[]);
    let error = enumerate(&root, &apertures()).unwrap_err();
    let port = bdf("00:02.0");
    assert_eq!(
        error,
        EnumerateError::NoRoomBehind { at: port, size: 513 * MIB, what: "32-bit memory", window }
    );
}
