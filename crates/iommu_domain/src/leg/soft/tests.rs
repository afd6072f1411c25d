use base::{GuestRam, HostMemory};

use super::*;

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
    leg.unmap(span(0, 2)).unwrap();
    assert_eq!((version(), leg.host_mappings()), (1, Some(1)));
    leg.clear().unwrap();
    assert_eq!((version(), leg.host_mappings()), (2, Some(0)));
}
