//! The books, request by request.

use virtio_iommu_spec::Status::{Fault, Inval, NoEnt, Ok, Range, Unsupp};
use virtio_iommu_spec::{Request, Status};

use super::{Endpoint, Oracle};

const MEMORY: (u64, u64) = (0x20_0000, 0x3f_ffff);

fn oracle() -> Oracle {
    let reserved = vec![(0xfee0_0000, 0xfeef_ffff)];
    let endpoints = vec![Endpoint::new(8, reserved), Endpoint::new(16, vec![(0x4000, 0x4fff)])];
    Oracle::new(0x1000, (0, (1 << 39) - 1), MEMORY, endpoints)
}

fn attach(domain: u32, endpoint: u32, flags: u32) -> Request {
    Request::Attach { domain, endpoint, flags, reserved: 0 }
}

fn map(domain: u32, first: u64, last: u64, phys_start: u64) -> Request {
    Request::Map { domain, virt_start: first, virt_end: last, phys_start, flags: 3 }
}

fn unmap(first: u64, last: u64) -> Request {
    Request::Unmap { domain: 1, virt_start: first, virt_end: last, reserved: 0 }
}

#[test]
fn a_life_of_requests() {
    let target = MEMORY.0;
    let steps: [(Request, Status); 20] = [
        (map(1, 0, 0xfff, target), NoEnt),
        (attach(1, 9, 0), NoEnt),
        (attach(1, 8, 2), Inval),
        (attach(1, 8, 0), Ok),
        (attach(1, 8, 1), Inval),
        (map(1, 0x4000, 0x4fff, target), Ok),
        (map(1, 0x4000, 0x4fff, target), Inval),
        (attach(1, 16, 0), Unsupp),
        (map(1, 0x5000, 0x5ffe, target), Range),
        (map(1, 0, u64::MAX, target), Range),
        (map(1, 0x5000, 0x5fff, 0x40_0000), Fault),
        (map(1, 0xfee0_0000, 0xfee0_0fff, target), Inval),
        (map(1, 0x6000, 0x7fff, target), Ok),
        (unmap(0x6000, 0x6fff), Range),
        (unmap(0x7000, 0x6000), Range),
        (unmap(0, u64::MAX), Ok),
        (attach(1, 16, 0), Ok),
        (Request::Detach { domain: 1, endpoint: 8 }, Ok),
        (Request::Detach { domain: 1, endpoint: 16 }, Ok),
        (unmap(0, u64::MAX), NoEnt),
    ];
    let mut oracle = oracle();
    for (request, expected) in steps {
        assert_eq!(oracle.answer(&request), expected, "{request:x?}");
    }
    assert_eq!(oracle.mappings(), 0);
}

#[test]
fn a_bypass_domain_takes_no_mappings_and_a_reset_empties_the_books() {
    let mut oracle = oracle();
    assert_eq!(oracle.answer(&attach(7, 8, 1)), Ok);
    assert_eq!(oracle.answer(&map(7, 0, 0xfff, MEMORY.0)), Inval);
    oracle.reset();
    assert_eq!(oracle.answer(&Request::Detach { domain: 7, endpoint: 8 }), Inval);
}
