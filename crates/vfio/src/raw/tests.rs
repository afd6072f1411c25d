//! Which memory may be asked for.

use base::{GuestRam, HostMemory};
use data_model::Span;

use super::{NOWHERE, RawMap};

#[test]
fn only_memory_that_devices_may_have_and_no_memory_at_all_can_be_asked_for() {
    let ram = GuestRam::new(&[Span::from_len(0, 0x4000).unwrap()]).unwrap();
    let (_, memory) = HostMemory::of_ram(&ram).pop().unwrap();
    let start = memory.slice(0, 1).unwrap().address();
    for (name, vaddr, size, may) in [
        ("all of it", start, 0x4000, true),
        ("its last byte", start + 0x3fff, 1, true),
        ("no bytes, anywhere", 0x1234, 0, true),
        ("past its end", start + 0x3000, 0x2000, false),
        ("before its start", start - 0x1000, 0x2000, false),
        ("up to the end of the address space", start, u64::MAX - start, false),
        ("nowhere", NOWHERE.start, 0x1000, true),
        ("from nowhere past the end of the address space", NOWHERE.end - 1, u64::MAX, true),
        ("what the kernel shows of itself", 0xffff_ffff_ff60_0000, 0x1000, false),
        ("an address with a tag on Arm", 0x80ff_0000_0000_0000 | start, 0x1000, false),
    ] {
        assert_eq!(RawMap::new(&memory, vaddr, size).is_some(), may, "{name}");
    }
}
