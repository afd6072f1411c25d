use base::{GuestRam, HostMemory};

use super::*;
use crate::mixed::{Access, FaultKind, MsiPolicy, ResvKind, Translation};

const PAGE: u64 = 4096;

fn span(page: u64, pages: u64) -> Span {
    Span::from_len(page * PAGE, pages * PAGE).unwrap()
}

/// RAM of 8 pages from guest-physical page 100 on.
fn rig() -> (SoftLeg, Arc<SoftTable>, Backing) {
    let ram = GuestRam::new(&[span(100, 8)]).unwrap();
    let (_, memory) = HostMemory::of_ram(&ram).remove(0);
    let table = Arc::<SoftTable>::default();
    (SoftLeg::new("software".into(), table.clone()), table, Backing::Memory(memory))
}

#[test]
fn a_mapping_leads_to_the_guest_physical_address() {
    let (mut leg, table, ram) = rig();
    leg.map(span(5, 2), &ram, 3 * PAGE, Perm::READ).unwrap();
    let want = Mapping { iova: span(5, 2), phys: 103 * PAGE, perm: Perm::READ };
    assert_eq!(table.enter().get(6 * PAGE + 7), Some(want));
    assert_eq!(table.enter().get(7 * PAGE), None);
    assert_eq!(leg.host_mappings(), Some(1));
}

#[test]
fn doorbells_and_what_permits_nothing_are_left_out() {
    let (mut leg, table, ram) = rig();
    leg.map(span(5, 1), &Backing::Doorbell, 0, Perm::WRITE).unwrap();
    leg.map(span(6, 1), &ram, 0, Perm::NONE).unwrap();
    assert_eq!((table.enter().get(5 * PAGE), table.enter().get(6 * PAGE)), (None, None));
}

#[test]
fn what_goes_makes_a_new_version_and_what_comes_does_not() {
    let (mut leg, table, ram) = rig();
    let version = || table.enter().version();
    for page in 0..3 {
        leg.map(span(page, 1), &ram, 0, Perm::READ_WRITE).unwrap();
    }
    assert_eq!(version(), 0);
    leg.unmap(span(0, 2), 0).unwrap();
    assert_eq!((version(), leg.host_mappings()), (1, Some(1)));
    leg.clear().unwrap();
    assert_eq!((version(), leg.host_mappings()), (2, Some(0)));
}

/// The same over addresses below 16 MiB, of which page 0x80 is reserved and pages 0x90 to 0x9f are for messages.
fn told() -> (SoftLeg, Arc<SoftTable>, Backing) {
    let policy = MsiPolicy::Hw { regions: vec![span(0x90, 16)] };
    let config = Config::emulated(PAGE, span(0, 0x1000), policy);
    let device = Device { resv: vec![(span(0x80, 1), ResvKind::Reserved)], ..Device::new(7) };
    let table = Arc::new(SoftTable::new(config, device).unwrap());
    (SoftLeg::new("software".into(), table.clone()), table, rig().2)
}

#[test]
fn what_overlaps_or_is_off_the_granule_is_a_failure_and_changes_nothing() {
    let (mut leg, table, ram) = told();
    leg.map(span(5, 2), &ram, 0, Perm::READ).unwrap();
    let odd = Span::from_len(0x9_0100, PAGE).unwrap();
    let cases = [
        ("a page that is mapped", span(6, 1), 0, 17),
        ("no whole page", odd, 0, 22),
        ("memory from the middle of a page on", span(9, 1), 0x10, 22),
        ("the reserved page", span(0x7f, 2), 0, 22),
        ("where messages pass", span(0x9f, 1), 0, 22),
        ("beyond what it can address", span(0x1000, 1), 0, 22),
    ];
    for (name, iova, offset, errno) in cases {
        let failed = leg.map(iova, &ram, offset, Perm::READ_WRITE).unwrap_err();
        assert_eq!(failed.source.raw_os_error(), Some(errno), "{name}");
    }
    let failed = leg.unmap(span(6, 1), 0).unwrap_err();
    assert_eq!(failed.source.raw_os_error(), Some(22), "a mapping in part");
    let left: Vec<Span> = table.enter().mappings().map(|mapping| mapping.iova).collect();
    assert_eq!((left, leg.host_mappings()), (vec![span(5, 2)], Some(1)));
}

/// What the device looks up is what the mixed domain says of its accesses.
#[test]
fn the_mixed_domain_says_where_accesses_of_the_device_end() {
    let (mut leg, table, ram) = told();
    leg.map(span(5, 1), &ram, 3 * PAGE, Perm::READ).unwrap();
    let in_use = table.enter();
    let end = |device, page: u64, access| in_use.domain().translate(device, page * PAGE + 8, access);
    let memory = Translation::Slot(Target::Ram { backing: 0, offset: 103 * PAGE + 8 });
    assert_eq!(end(7, 5, Access::Read), Ok(memory));
    assert_eq!(end(7, 5, Access::Write).unwrap_err().kind, FaultKind::NotWritable);
    assert_eq!(end(8, 5, Access::Read).unwrap_err().kind, FaultKind::NotAttached, "another device");
    let message = Translation::Doorbell { phys: 0x90 * PAGE + 8 };
    assert_eq!(end(7, 0x90, Access::Write), Ok(message));
    assert_eq!(in_use.get(0x90 * PAGE), None, "an interrupt is no memory");
}

#[test]
fn a_leg_that_is_emptied_gives_everything_back() {
    let (mut leg, table, ram) = told();
    let fresh = table.enter().domain().state().clone();
    for page in 0..0x80 {
        leg.map(span(page, 1), &ram, 0, Perm::READ_WRITE).unwrap();
    }
    leg.clear().unwrap();
    assert_eq!(*table.enter().domain().state(), fresh);
}
