use std::fs::File;
use std::io;
use std::sync::Arc;

use base::{GuestRam, MappedRegion};
use data_model::Span;
use sync::Mutex;

use super::{DeviceMapping, MemoryError, MemoryMap, MemorySink, SlotId};

const PAGE: u64 = 4096;

/// Remembers what the kernel would have been asked, and refuses on demand.
#[derive(Default)]
struct Recorder {
    calls: Mutex<Vec<(&'static str, u32, Span)>>,
    refuse: Mutex<bool>,
}

impl Recorder {
    fn record(&self, call: &'static str, slot: u32, span: Span) -> io::Result<()> {
        self.calls.lock().push((call, slot, span));
        if *self.refuse.lock() { Err(io::ErrorKind::OutOfMemory.into()) } else { Ok(()) }
    }
}

impl MemorySink for Recorder {
    fn set(&self, slot: u32, span: Span, _hva: u64, _read_only: bool) -> io::Result<()> {
        self.record("set", slot, span)
    }

    fn clear(&self, slot: u32, span: Span) -> io::Result<()> {
        self.record("clear", slot, span)
    }
}

fn pages(first: u64, count: u64) -> Span {
    Span::from_len(first * PAGE, count * PAGE).unwrap()
}

fn region(count: u64) -> Arc<MappedRegion> {
    let zero = File::options().read(true).write(true).open("/dev/zero").unwrap();
    Arc::new(MappedRegion::new(zero, 0, (count * PAGE) as usize, true).unwrap())
}

fn mapping(span: Span, region: &Arc<MappedRegion>, offset: u64) -> DeviceMapping {
    DeviceMapping { span, region: region.clone(), offset, read_only: false }
}

fn map_with(limit: u32) -> MemoryMap {
    MemoryMap::new(limit, PAGE, vec![(pages(0xfffbc, 4), "the TSS")])
}

#[test]
fn overlaps_are_refused_before_the_kernel_is_asked() {
    let (sink, mut map, region) = (Recorder::default(), map_with(9), region(8));
    let ram = GuestRam::new(&[pages(0, 16)]).unwrap();
    map.add_ram(&sink, &ram).unwrap();
    map.map(&sink, &mapping(pages(32, 4), &region, 0)).unwrap();
    let asked = sink.calls.lock().len();
    for (span, owner) in [
        (pages(15, 2), "guest RAM"),
        (pages(35, 1), "device memory"),
        (pages(30, 8), "device memory"),
        (pages(31, 2), "device memory"),
        (pages(0xfffbb, 2), "the TSS"),
    ] {
        match map.map(&sink, &mapping(span, &region, 0)) {
            Err(MemoryError::Overlap { by, .. }) => assert_eq!(by, owner, "{span}"),
            other => panic!("{span}: {other:?}"),
        }
    }
    assert_eq!(sink.calls.lock().len(), asked);
    map.map(&sink, &mapping(pages(16, 1), &region, 0)).unwrap();
    map.map(&sink, &mapping(pages(36, 1), &region, 0)).unwrap();
}

#[test]
fn slots_are_reused_and_their_memory_is_kept_as_long() {
    let (sink, mut map, region) = (Recorder::default(), map_with(2), region(2));
    let one = map.map(&sink, &mapping(pages(1, 1), &region, 0)).unwrap();
    let two = map.map(&sink, &mapping(pages(2, 1), &region, PAGE)).unwrap();
    assert_eq!((one, two, Arc::strong_count(&region)), (SlotId(0), SlotId(1), 3));
    let full = map.map(&sink, &mapping(pages(3, 1), &region, 0));
    assert!(matches!(full, Err(MemoryError::NoSlot { limit: 2 })));
    map.unmap(&sink, one).unwrap();
    assert_eq!(Arc::strong_count(&region), 2);
    assert!(matches!(map.unmap(&sink, one), Err(MemoryError::UnknownSlot(SlotId(0)))));
    assert_eq!(map.map(&sink, &mapping(pages(1, 1), &region, 0)).unwrap(), SlotId(0));
}

#[test]
fn a_refusal_of_the_kernel_changes_nothing() {
    let (sink, mut map, region) = (Recorder::default(), map_with(1), region(1));
    *sink.refuse.lock() = true;
    let refused = map.map(&sink, &mapping(pages(1, 1), &region, 0));
    assert!(matches!(refused, Err(MemoryError::Kvm { action: "map", .. })));
    assert_eq!(Arc::strong_count(&region), 1);
    *sink.refuse.lock() = false;
    let slot = map.map(&sink, &mapping(pages(1, 1), &region, 0)).unwrap();
    *sink.refuse.lock() = true;
    assert!(matches!(map.unmap(&sink, slot), Err(MemoryError::Kvm { action: "unmap", .. })));
    assert_eq!(Arc::strong_count(&region), 2, "memory that the guest may still see stays mapped");
    *sink.refuse.lock() = false;
    map.unmap(&sink, slot).unwrap();
}

#[test]
fn ranges_outside_the_host_mapping_or_off_its_pages_are_refused() {
    let (sink, mut map, region) = (Recorder::default(), map_with(9), region(2));
    for (span, offset) in
        [(pages(1, 3), 0), (pages(1, 2), PAGE), (pages(1, 1), u64::MAX - 4095), (Span::ALL, 0)]
    {
        let result = map.map(&sink, &mapping(span, &region, offset));
        assert!(matches!(result, Err(MemoryError::TooShort { .. })), "{span} {offset:#x}");
    }
    let odd = Span::from_len(PAGE + 1, PAGE).unwrap();
    for (span, offset) in [(odd, 0), (pages(1, 1), 1), (Span::from_len(0, 10).unwrap(), 0)] {
        let result = map.map(&sink, &mapping(span, &region, offset));
        assert!(matches!(result, Err(MemoryError::Unaligned { .. })), "{span} {offset:#x}");
    }
    assert!(sink.calls.lock().is_empty());
}

#[test]
fn guest_ram_cannot_be_unmapped_by_number() {
    let (sink, mut map) = (Recorder::default(), map_with(9));
    map.add_ram(&sink, &GuestRam::new(&[pages(0, 16), pages(32, 16)]).unwrap()).unwrap();
    assert!(matches!(map.unmap(&sink, SlotId(0)), Err(MemoryError::UnknownSlot(_))));
    assert_eq!(*sink.calls.lock(), [("set", 0, pages(0, 16)), ("set", 1, pages(32, 16))]);
}
