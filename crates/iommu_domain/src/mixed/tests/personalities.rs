//! The table of personalities, cell by cell. Columns: type1 7.3, type1 6.1, type1 6.12, iommufd's type1, IOAS, the letter.

use std::collections::BTreeMap;

use super::super::*;
use super::kit::*;
use crate::Perm;

const COLUMNS: [Personality; 6] = [
    Personality::Type1(Type1Kernel::V7_3),
    Personality::Type1(Type1Kernel::V6_1),
    Personality::Type1(Type1Kernel::V6_12),
    Personality::IommufdCompat,
    Personality::Iommufd(IommufdKernel::V7_3),
    Personality::Seed,
];

/// A case: what is done to the domain, and what each column answers (`Ok`: bytes, 0 for a MAP).
struct Case {
    name: &'static str,
    act: fn(&mut MixedDomain) -> Result<u64, Failure>,
    answers: [Result<u64, Errno>; 6],
}

const INVAL: Result<u64, Errno> = Err(Errno::Inval);
const EXIST: Result<u64, Errno> = Err(Errno::Exist);
const OVERFLOW: Result<u64, Errno> = Err(Errno::Overflow);
const NOSPC: Result<u64, Errno> = Err(Errno::NoSpc);
const NOMEM: Result<u64, Errno> = Err(Errno::NoMem);
const FAULT: Result<u64, Errno> = Err(Errno::Fault);
const NOENT: Result<u64, Errno> = Err(Errno::NoEnt);
const INUSE: Result<u64, Errno> = Err(Errno::AddrInUse);
const PERM: Result<u64, Errno> = Err(Errno::Perm);
const NOTSUPP: Result<u64, Errno> = Err(Errno::OpNotSupp);
const OK: Result<u64, Errno> = Ok(0);
const PAGE1: Result<u64, Errno> = Ok(PAGE);

/// Slots of one page at 64 KiB and 80 KiB, of three at 96 KiB; reserved at 1 MiB; the window at 128 MiB.
fn domain(personality: Personality) -> MixedDomain {
    let window = linux_window();
    let config = Config {
        personality,
        policy: match personality {
            Personality::Seed => MsiPolicy::SeedWindow { window },
            Personality::Type1(_) => MsiPolicy::FixedType1 { window, kernel_bug_unbounded: true },
            _ => MsiPolicy::FixedIommufd { window },
        },
        resv: vec![(of(MIB, PAGE), ResvKind::Reserved)],
        backings: Some(BTreeMap::from([(0, Backing { len: GIB4, writable: true })])),
        lock_limit: Some(64 * PAGE),
        max_slots: matches!(personality, Personality::Type1(_)).then_some(8),
        isolated_msi: isolated(personality, &[MsiController::Its]),
        allow_unsafe: true,
        ..Config::seed(low())
    };
    let mut domain = with_device(config);
    for (page, pages) in [(0x10, 1), (0x14, 1), (0x18, 3)] {
        map(&mut domain, page * PAGE, pages * PAGE).unwrap();
    }
    domain
}

fn ask(domain: &mut MixedDomain, iova: u64, len: u64) -> Result<u64, Failure> {
    map(domain, iova, len).map(|()| 0)
}

/// Five slots more: type1 is full now.
fn fill(domain: &mut MixedDomain) {
    (0..5).for_each(|n| map(domain, 0x100_0000 + n * PAGE, PAGE).unwrap());
}

fn ask_target(domain: &mut MixedDomain, offset: u64, backing: u32) -> Result<u64, Failure> {
    let target = Target::Ram { backing, offset };
    domain.map(MapRequest { target, ..request(0x20_0000, PAGE) }).map(|()| 0)
}

#[rustfmt::skip]
const MAPS: &[Case] = &[
    Case { name: "unknown flag", act: |d| d.map(MapRequest { flags: 8, ..request(0, PAGE) }).map(|()| 0),
        answers: [INVAL, INVAL, INVAL, INVAL, NOTSUPP, INVAL] },
    Case { name: "length 0", act: |d| ask(d, 0, 0), answers: [INVAL; 6] },
    Case { name: "the IOVA wraps", act: |d| ask_wrapping(d, u64::MAX - 0xfff),
        answers: [OVERFLOW, INVAL, INVAL, OVERFLOW, OVERFLOW, OVERFLOW] },
    Case { name: "the IOVA wraps and is misaligned", act: |d| ask_wrapping(d, u64::MAX - 0xff),
        answers: [OVERFLOW, INVAL, INVAL, INVAL, INVAL, INVAL] },
    Case { name: "the target wraps", act: |d| {
            let target = Target::Ram { backing: 0, offset: u64::MAX - 0xfff };
            d.map(MapRequest { target, ..request(0x20_0000, 2 * PAGE) }).map(|()| 0)
        }, answers: [OVERFLOW, INVAL, INVAL, OVERFLOW, OVERFLOW, OVERFLOW] },
    Case { name: "the length is the last number there is", act: |d| ask(d, 0, u64::MAX),
        answers: [INVAL, INVAL, INVAL, INVAL, OVERFLOW, INVAL] },
    Case { name: "neither read nor write",
        act: |d| d.map(MapRequest { perm: Perm::NONE, ..request(0, PAGE) }).map(|()| 0),
        answers: [INVAL, INVAL, INVAL, OK, INVAL, INVAL] },
    Case { name: "misaligned IOVA", act: |d| ask(d, 0x800, PAGE), answers: [INVAL; 6] },
    Case { name: "misaligned length", act: |d| ask(d, 0, PAGE + 1), answers: [INVAL; 6] },
    Case { name: "misaligned target", act: |d| ask_target(d, 0x10, 0), answers: [INVAL; 6] },
    Case { name: "misaligned target over a slot", act: |d| {
            let target = Target::Ram { backing: 0, offset: 0x10 };
            d.map(MapRequest { target, ..request(0x10 * PAGE, PAGE) }).map(|()| 0)
        }, answers: [INVAL, INVAL, INVAL, EXIST, EXIST, INVAL] },
    Case { name: "overlap", act: |d| ask(d, 0x17 * PAGE, 2 * PAGE), answers: [EXIST; 6] },
    Case { name: "exactly a slot again", act: |d| ask(d, 0x10 * PAGE, PAGE), answers: [EXIST; 6] },
    Case { name: "overlap and reserved", act: |d| ask(d, 0, 2 * MIB), answers: [EXIST, EXIST, EXIST, INVAL, INVAL, INVAL] },
    Case { name: "reserved", act: |d| ask(d, MIB, PAGE), answers: [INVAL; 6] },
    Case { name: "outside the aperture", act: |d| ask(d, GIB4, PAGE), answers: [INVAL; 6] },
    Case { name: "half outside the aperture", act: |d| ask(d, GIB4 - PAGE, 2 * PAGE), answers: [INVAL; 6] },
    Case { name: "over the window, no page yet", act: |d| ask(d, 0x0800_0000, PAGE),
        answers: [INVAL, INVAL, INVAL, INVAL, INVAL, OK] },
    Case { name: "over a live page", act: |d| {
            let iova = d.msi_prepare(1, DOORBELL)? & !(PAGE - 1);
            ask(d, iova, PAGE)
        }, answers: [INVAL, INVAL, INVAL, INVAL, INVAL, EXIST] },
    Case { name: "too many maps", act: |d| {
            fill(d);
            ask(d, 0x200_0000, PAGE)
        }, answers: [NOSPC, NOSPC, NOSPC, OK, OK, OK] },
    Case { name: "too many maps, and over a slot", act: |d| {
            fill(d);
            ask(d, 0x10 * PAGE, PAGE)
        }, answers: [EXIST; 6] },
    Case { name: "too many maps, and reserved", act: |d| {
            fill(d);
            ask(d, MIB, PAGE)
        }, answers: [NOSPC, NOSPC, NOSPC, INVAL, INVAL, INVAL] },
    Case { name: "limit of locked memory", act: |d| ask(d, 0x100_0000, 60 * PAGE),
        answers: [NOMEM, NOMEM, NOMEM, NOMEM, NOMEM, OK] },
    Case { name: "no memory at the target", act: |d| ask_target(d, 0, 9), answers: [FAULT; 6] },
    Case { name: "no memory at the target, no device attached", act: |d| {
            d.detach(1)?;
            ask_target(d, 0, 9)
        }, answers: [FAULT, FAULT, FAULT, OK, OK, FAULT] },
];

#[rustfmt::skip]
const UNMAPS: &[Case] = &[
    Case { name: "a slot", act: |d| unmap(d, 0x10 * PAGE, PAGE), answers: [PAGE1; 6] },
    Case { name: "slots and holes", act: |d| unmap(d, 0, 0x18 * PAGE), answers: [Ok(2 * PAGE); 6] },
    Case { name: "cuts the end of a slot", act: |d| unmap(d, 0x1a * PAGE, PAGE), answers: [INVAL, INVAL, INVAL, NOENT, NOENT, INVAL] },
    Case { name: "cuts the start of a slot", act: |d| unmap(d, 0x18 * PAGE, PAGE), answers: [INVAL, INVAL, INVAL, NOENT, NOENT, INVAL] },
    Case { name: "nothing", act: |d| unmap(d, 0x40 * PAGE, PAGE), answers: [OK, OK, OK, OK, NOENT, OK] },
    Case { name: "a doorbell page alone", act: |d| {
            let iova = d.msi_prepare(1, DOORBELL)? & !(PAGE - 1);
            unmap(d, iova, PAGE)
        }, answers: [OK, OK, OK, OK, NOENT, OK] },
    Case { name: "misaligned, nothing there", act: |d| unmap(d, 0x40 * PAGE + 1, 8), answers: [INVAL, INVAL, INVAL, OK, NOENT, INVAL] },
    Case { name: "misaligned, in a slot", act: |d| unmap(d, 0x10 * PAGE + 1, 8), answers: [INVAL, INVAL, INVAL, NOENT, NOENT, INVAL] },
    Case { name: "misaligned, around a slot", act: |d| unmap(d, 0x10 * PAGE - 1, PAGE + 2), answers: [INVAL, INVAL, INVAL, PAGE1, PAGE1, INVAL] },
    Case { name: "length 0", act: |d| unmap(d, 0, 0), answers: [INVAL; 6] },
    Case { name: "wraps", act: |d| unmap(d, u64::MAX - 0xfff, 2 * PAGE), answers: [OVERFLOW, INVAL, INVAL, OVERFLOW, OVERFLOW, OVERFLOW] },
    Case { name: "all", act: |d| d.unmap(UnmapRequest::all()), answers: [Ok(5 * PAGE); 6] },
    Case { name: "all of nothing", act: |d| { d.unmap_all(); d.unmap(UnmapRequest::all()) }, answers: [OK; 6] },
    // IOAS has no such flag; the request then means everything.
    Case { name: "all, with a range", act: |d| d.unmap(UnmapRequest { len: PAGE, ..UnmapRequest::all() }), answers: [INVAL, INVAL, INVAL, INVAL, Ok(5 * PAGE), INVAL] },
    Case { name: "the range (0, 2^64 - 1)", act: |d| unmap(d, 0, u64::MAX), answers: [INVAL, INVAL, INVAL, Ok(5 * PAGE), Ok(5 * PAGE), INVAL] },
    Case { name: "unknown flag", act: |d| d.unmap(UnmapRequest { flags: 8, ..UnmapRequest::all() }), answers: [INVAL, INVAL, INVAL, INVAL, NOTSUPP, INVAL] },
];

#[rustfmt::skip]
const OTHERS: &[Case] = &[
    Case { name: "attach: reserved over a slot", act: |d| d.attach(bringing(2, of(0x10 * PAGE, 1), ResvKind::Direct)).map(|_| 0),
        answers: [INVAL, INVAL, INVAL, INUSE, INUSE, INVAL] },
    Case { name: "attach: a smaller aperture", act: |d| d.attach(Device { aperture: span(0, 0xffff), ..Device::new(2) }).map(|_| 0),
        answers: [INVAL, INVAL, INVAL, INUSE, INUSE, INVAL] },
    Case { name: "attach: interrupts behind an ITS, nothing allowed", act: |d| attach_strictly(d, MsiController::Its),
        answers: [OK, OK, OK, OK, OK, PERM] },
    Case { name: "attach: interrupts not isolated", act: |d| attach_strictly(d, MsiController::GicV2m), answers: [PERM; 6] },
    Case { name: "copy of what is not mapped", act: |d| d.slice(0x17 * PAGE, 2 * PAGE).map(|_| 0),
        answers: [NOTSUPP, NOTSUPP, NOTSUPP, NOTSUPP, NOENT, NOTSUPP] },
    Case { name: "doorbell of a device that is not attached", act: |d| d.msi_prepare(2, DOORBELL),
        answers: [NOTSUPP, Ok(DOORBELL), Ok(DOORBELL), NOTSUPP, NOTSUPP, NOTSUPP] },
];

fn ask_wrapping(domain: &mut MixedDomain, iova: u64) -> Result<u64, Failure> {
    let target = Target::Ram { backing: 0, offset: 0 };
    domain.map(MapRequest { target, ..request(iova, 2 * PAGE) }).map(|()| 0)
}

fn attach_strictly(domain: &mut MixedDomain, controller: MsiController) -> Result<u64, Failure> {
    let personality = domain.config().personality;
    let isolated_msi = isolated(personality, &[controller]);
    let config = Config { isolated_msi, allow_unsafe: false, ..domain.config().clone() };
    MixedDomain::new(config).unwrap().attach(Device::new(2)).map(|_| 0)
}

fn check(cases: &[Case]) {
    for case in cases {
        for (personality, expected) in COLUMNS.iter().zip(case.answers) {
            let mut domain = domain(*personality);
            let got = (case.act)(&mut domain).map_err(|failure| failure.errno);
            assert_eq!(got, expected, "{}: {personality:?}", case.name);
        }
    }
}

#[test]
fn every_cell_of_map_is_answered_as_the_table_says() {
    check(MAPS);
}

#[test]
fn every_cell_of_unmap_is_answered_as_the_table_says() {
    check(UNMAPS);
}

#[test]
fn every_other_cell_is_answered_as_the_table_says() {
    check(OTHERS);
}

#[test]
fn iommufd_has_unmapped_what_lies_below_the_slot_it_refuses_to_cut() {
    for personality in COLUMNS {
        let mut domain = domain(personality);
        let refused = unmap(&mut domain, 0, 0x19 * PAGE).unwrap_err();
        let iommufd = matches!(personality, Personality::Iommufd(_) | Personality::IommufdCompat);
        let removed = if iommufd { 2 * PAGE } else { 0 };
        let slot = of(0x18 * PAGE, 3 * PAGE);
        assert_eq!(refused.reason, Reason::Bisects { slot, removed }, "{personality:?}");
        assert_eq!(domain.state().slots.len(), if iommufd { 1 } else { 3 });
    }
}
