//! What the leg makes of a kernel's answers.

use base::{GuestRam, HostMemory};

use super::*;
use crate::testing::{FakeHost, FakeLimits};

const PAGE: u64 = 0x1000;

fn pages(first: u64, count: u64) -> Span {
    Span::from_len(first * PAGE, count * PAGE).unwrap()
}

fn ram() -> Backing {
    let ram = GuestRam::new(&[pages(0, 8)]).unwrap();
    Backing::Memory(HostMemory::of_ram(&ram).remove(0).1)
}

fn container() -> FakeHost {
    FakeHost::new(FakeLimits { granule: PAGE, allowed: vec![Span::ALL], entries: 8 }).unwrap()
}

/// The fake kernel is one that loses what ends with the address space.
#[test]
fn what_the_kernel_could_not_unmap_is_never_mapped() {
    let (host, ram) = (container(), ram());
    let end = pages(u64::MAX / PAGE, 1);
    let refusal = host.leg("leg").map(end, &ram, 0, Perm::READ).unwrap_err();
    assert_eq!((refusal.source.kind(), host.calls()), (io::ErrorKind::InvalidInput, 0));

    let Backing::Memory(memory) = &ram else { panic!() };
    host.map(end, memory.slice(0, PAGE).unwrap(), Perm::READ).unwrap();
    assert_eq!((host.unmap(end).unwrap(), host.mappings().len()), (0, 1), "a success, and it is there");
    assert_eq!((host.unmap_all().unwrap(), host.mappings().len()), (PAGE, 1), "counted, and it is there");
}

#[test]
fn fewer_bytes_than_were_mirrored_are_a_failure_until_the_rest_is_gone() {
    let (host, ram) = (container(), ram());
    let mut leg = host.leg("leg");
    for page in [0, 1, 4] {
        leg.map(pages(page, 1), &ram, 0, Perm::READ).unwrap();
    }
    leg.unmap(pages(0, 1), PAGE).unwrap();
    leg.unmap(pages(1, 1), 0).unwrap();
    let said = leg.unmap(pages(0, 8), 2 * PAGE).unwrap_err();
    assert_eq!(said.source.to_string(), "the kernel removed 0x1000 of 0x2000 bytes");
    leg.clear().unwrap();

    leg.map(pages(2, 2), &ram, 0, Perm::READ).unwrap();
    host.unmap(pages(2, 2)).unwrap();
    for _ in 0..2 {
        let said = leg.clear().unwrap_err();
        assert_eq!(said.source.to_string(), "the kernel removed 0x0 of 0x2000 bytes");
    }
}
