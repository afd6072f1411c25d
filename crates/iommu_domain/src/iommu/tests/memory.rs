//! A BAR that moves under its mappings.

use base::{CallId, FaultPlan};

use super::*;
use crate::{Mapping, Perm};

const EIO: i32 = 5;

/// Two legs in domain 1 with a page of RAM, two of the BAR, and one that permits nothing there.
fn mapped() -> Bench {
    let mut bench = bench();
    bench.put_bar(Some(PLACES[0]));
    for endpoint in [8, 16] {
        bench.iommu.attach(endpoint, 1, false).unwrap();
    }
    bench.map(1, pages(1, 1), 0).unwrap();
    bench.iommu.map(1, Mapping { iova: pages(2, 2), phys: PLACES[0] + PAGE, perm: Perm::READ }).unwrap();
    bench.iommu.map(1, Mapping { iova: pages(5, 1), phys: PLACES[0], perm: Perm::NONE }).unwrap();
    bench
}

const RAM_PAGE: fn() -> (Span, u64, Perm) = || (pages(1, 1), 0, Perm::READ_WRITE);
const BAR_PAGES: fn() -> (Span, u64, Perm) = || (pages(2, 2), PLACES[0] + PAGE, Perm::READ);

#[test]
fn while_the_bar_is_elsewhere_no_leg_reaches_it_by_the_old_address() {
    let mut bench = mapped();
    assert_eq!(bench.held(1), [RAM_PAGE(), BAR_PAGES()]);
    for place in [Some(PLACES[1]), None] {
        assert!(bench.put_bar(place).is_empty());
        for leg in [0, 1] {
            assert_eq!(bench.held(leg), [RAM_PAGE()], "{place:x?}");
        }
        let report = bench.iommu.report();
        assert_eq!((report.domains[0].mappings, report.domains[0].software), (3, 2), "still in the table");
    }
    bench.iommu.attach(24, 1, false).unwrap();
    assert_eq!(bench.held(2), bench.held(0), "a leg that comes now holds what the others do");
    assert!(bench.put_bar(Some(PLACES[0])).is_empty());
    for leg in 0..3 {
        assert_eq!(bench.held(leg), [RAM_PAGE(), BAR_PAGES()], "back where it was, on leg {leg}");
    }
    assert_eq!(bench.iommu.report().domains[0].software, 1);
    bench.iommu.unmap(1, Span::ALL).unwrap();
    assert!(bench.put_bar(None).is_empty() && bench.put_bar(Some(PLACES[0])).is_empty());
    assert!((0..3).all(|leg| bench.held(leg).is_empty()), "what was unmapped does not come back");
}

#[test]
fn a_mapping_that_leads_nowhere_can_be_unmapped() {
    let mut bench = mapped();
    bench.put_bar(None);
    bench.iommu.unmap(1, pages(2, 2)).unwrap();
    bench.iommu.unmap(1, Span::ALL).unwrap();
    bench.put_bar(Some(PLACES[0]));
    bench.assert_equal();
    assert!(bench.iommu.report().legs.iter().all(|leg| !leg.quarantined));
}

#[test]
fn what_the_host_will_not_map_again_is_left_out_on_all_legs() {
    for nth in 0..2 {
        let mut bench = mapped();
        bench.put_bar(None);
        let plan = FaultPlan::arm(CallId::Type1Map, nth, 1, EIO);
        let failures = bench.put_bar(Some(PLACES[0]));
        drop(plan);
        assert_eq!(failures.len(), 1, "{failures:?}");
        assert!((0..2).all(|leg| bench.held(leg) == [RAM_PAGE()]), "all or none");
        bench.put_bar(None);
        assert!(bench.put_bar(Some(PLACES[0])).is_empty());
        assert!((0..2).all(|leg| bench.held(leg) == [RAM_PAGE(), BAR_PAGES()]), "the next time it is there");
    }
}

#[test]
fn a_leg_that_does_not_let_go_of_a_bar_is_quarantined() {
    let mut bench = mapped();
    let plan = FaultPlan::arm(CallId::Type1Unmap, 1, 1, EIO);
    let failures = bench.put_bar(None);
    drop(plan);
    assert!(failures.len() == 1 && failures[0].quarantined && failures[0].endpoints == [16], "{failures:?}");
    assert!(bench.held(1).is_empty() && bench.held(0) == [RAM_PAGE()]);
    bench.assert_equal();
}

#[test]
fn it_is_told_apart_from_a_doorbell() {
    let mut bench = mapped();
    bench.put_bar(None);
    let detail = crate::Detail { slots: 9, runs: 9, pinned: false };
    let domain = &bench.iommu.report_in(detail).domains[0];
    let slots: Vec<_> = domain.slots.iter().map(|slot| (slot.software, slot.lost)).collect();
    assert_eq!(slots, [(false, false), (true, true), (true, false)]);
    assert!(domain.runs.iter().all(|run| run.kind != crate::RunKind::Doorbell), "{:?}", domain.runs);
}
