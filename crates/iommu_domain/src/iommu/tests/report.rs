//! What is told of domains and legs in detail.

use std::time::Duration;

use super::*;
use crate::runs::{Run, RunKind, Slot};
use crate::{Detail, Mapping, Perm};

const EVERYTHING: Detail = Detail { slots: 100, runs: 100, pinned: true };

fn with_mappings() -> Bench {
    let mut bench = with(IommuConfig { doorbell_windows: vec![window()], ..config() }, 40);
    bench.put_bar(Some(PLACES[0]));
    bench.iommu.attach(8, 1, false).unwrap();
    let read = |iova, phys| Mapping { iova, phys, perm: Perm::READ };
    bench.iommu.map(1, read(pages(4, 2), PAGE)).unwrap();
    bench.iommu.map(1, read(pages(6, 1), 0)).unwrap();
    bench.map(1, pages(7, 1), PLACES[0]).unwrap();
    bench.iommu.map(1, Mapping { iova: pages(9, 1), phys: 0, perm: Perm::NONE }).unwrap();
    bench.map(1, pages(0xfee00, 1), DOORBELL).unwrap();
    bench
}

#[test]
fn slots_and_runs_are_told_when_asked_for() {
    let bench = with_mappings();
    let domain = &bench.iommu.report_in(EVERYTHING).domains[0];
    let software: Vec<_> = domain.slots.iter().filter(|slot| slot.software).collect();
    assert_eq!((domain.slots.len(), software.len()), (5, 2));
    let first = Mapping { iova: pages(4, 2), phys: PAGE, perm: Perm::READ };
    assert_eq!(domain.slots[0], Slot { mapping: first, software: false, lost: false });
    let kinds: Vec<_> = domain.runs.iter().map(|run| (run.span, run.kind, run.mappings)).collect();
    let expected = [
        (pages(4, 3), RunKind::Memory(Perm::READ), 2),
        (pages(7, 1), RunKind::Memory(Perm::READ_WRITE), 1),
        (pages(9, 1), RunKind::Memory(Perm::NONE), 1),
        (pages(0xfee00, 1), RunKind::Doorbell, 1),
    ];
    assert_eq!(kinds, expected);
    let some = &bench.iommu.report_in(Detail { slots: 2, runs: 1, pinned: false }).domains[0];
    assert_eq!((some.slots.len(), some.runs.len(), some.mappings), (2, 1, 5));
    let none = &bench.iommu.report().domains[0];
    assert!(none.slots.is_empty() && none.runs.is_empty());
}

#[test]
fn pinned_is_guest_ram_that_a_leg_holds() {
    let mut bench = with_mappings();
    let pinned = |bench: &Bench| {
        let legs = bench.iommu.report_in(EVERYTHING).legs;
        legs.iter().map(|leg| leg.pinned).collect::<Vec<_>>()
    };
    assert_eq!(pinned(&bench), [3 * u128::from(PAGE), 0, 0], "neither the BAR nor what no host holds");
    bench.iommu.attach(16, 1, false).unwrap();
    assert_eq!(pinned(&bench), [3 * u128::from(PAGE), 3 * u128::from(PAGE), 0], "once for each container");
    bench.iommu.set_bypass(true);
    assert_eq!(pinned(&bench)[2], u128::from(RAM));
    assert_eq!(bench.iommu.report().legs[2].pinned, 0, "not asked for");
}

#[test]
fn bypass_domain_shows_what_its_endpoints_reach() {
    let mut bench = bench();
    bench.iommu.attach(8, 1, true).unwrap();
    let domain = &bench.iommu.report_in(EVERYTHING).domains[0];
    let ram = Run {
        span: pages(0, RAM / PAGE),
        kind: RunKind::Memory(Perm::READ_WRITE),
        mappings: 1,
        bytes: RAM.into(),
    };
    assert_eq!((domain.mappings, domain.runs.as_slice()), (0, [ram].as_slice()));
}

#[test]
fn legs_tell_whom_they_serve_and_the_time_that_their_host_took() {
    let bench = with_mappings();
    let legs = bench.iommu.report().legs;
    assert_eq!(
        (legs[0].endpoints.as_slice(), legs[1].endpoints.as_slice()),
        ([8, 9, 10].as_slice(), [16].as_slice())
    );
    // The fake takes a nanosecond for each call.
    assert_eq!(legs[0].host_time, Duration::from_nanos(bench.hosts[0].calls()));
    assert!(legs[0].host_time > legs[1].host_time);
}

#[test]
fn emulated_device_pins_nothing() {
    use std::sync::Arc;

    use crate::{EndpointSpec, Iommu, PhysMap, SoftLeg, SoftTable};
    let ram = base::GuestRam::new(&[pages(0, 4)]).unwrap();
    let phys = Arc::new(PhysMap::new(base::HostMemory::of_ram(&ram)).unwrap());
    let leg = SoftLeg::new("soft".into(), Arc::new(SoftTable::default()));
    let endpoint = EndpointSpec { id: 8, leg: Some(0), reserved: Vec::new() };
    let mut iommu = Iommu::new(config(), phys, vec![Box::new(leg)], vec![endpoint]);
    iommu.attach(8, 1, false).unwrap();
    iommu.map(1, Mapping { iova: pages(9, 1), phys: 0, perm: Perm::READ }).unwrap();
    let leg = &iommu.report_in(EVERYTHING).legs[0];
    assert_eq!((leg.mappings, leg.pinned), (1, 0));
}
