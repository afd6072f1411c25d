use base::{CallId, FaultPlan};

use super::*;
use crate::testing::logged_lines;
use crate::{DmaHost, Mapping, Perm};

const EIO: i32 = 5;
const ENOMEM: i32 = 12;

/// Two legs in domain 1, a page mapped.
fn attached() -> Bench {
    let mut bench = bench();
    bench.iommu.attach(8, 1, false).unwrap();
    bench.iommu.attach(16, 1, false).unwrap();
    bench.map(1, pages(0, 1), 0).unwrap();
    bench
}

#[test]
fn a_map_that_fails_on_the_nth_leg_is_undone_on_all() {
    for nth in 0..2 {
        let mut bench = attached();
        let before = (bench.held(0), bench.held(1));
        let plan = FaultPlan::arm(CallId::Type1Map, nth, 1, ENOMEM);
        let refusal = bench.map(1, pages(5, 1), 0).unwrap_err();
        drop(plan);
        assert!(matches!(&refusal, Refusal::Host(failure) if failure.is_exhausted() && !failure.quarantined));
        assert_eq!((bench.held(0), bench.held(1)), before);
        bench.assert_equal();
        bench.map(1, pages(5, 1), 0).unwrap();
        bench.assert_equal();
    }
}

#[test]
fn an_undo_that_fails_ends_in_quarantine_never_open() {
    let mut bench = attached();
    let map = FaultPlan::arm(CallId::Type1Map, 1, 1, EIO);
    let undo = FaultPlan::arm(CallId::Type1Unmap, 0, 1, EIO);
    bench.map(1, pages(5, 1), 0).unwrap_err();
    drop((undo, map));
    let report = bench.iommu.report();
    assert!(report.legs[0].quarantined && !report.legs[1].quarantined);
    assert!(bench.held(0).is_empty());
    assert_eq!(bench.hosts[0].resets(), 1);
    bench.assert_equal();
    bench.map(1, pages(6, 1), 0).unwrap();
    assert_eq!(bench.held(1).len(), 2, "the healthy leg goes on");
    bench.iommu.reset();
    bench.iommu.attach(8, 1, false).unwrap();
    bench.map(1, pages(6, 1), 0).unwrap();
    assert_eq!(bench.held(0).len(), 1, "a reset pardons");
}

#[test]
fn an_unmap_that_fails_leaves_nothing_reachable() {
    let mut bench = attached();
    let plan = FaultPlan::arm(CallId::Type1Unmap, 1, 1, EIO);
    let refusal = bench.iommu.unmap(1, pages(0, 1)).unwrap_err();
    drop(plan);
    assert!(matches!(&refusal, Refusal::Host(failure) if failure.quarantined && failure.endpoints == [16]));
    assert!(bench.held(0).is_empty() && bench.held(1).is_empty());
    bench.assert_equal();
}

#[test]
fn an_unmap_of_which_the_kernel_removed_less_is_a_failure() {
    let mut bench = attached();
    bench.map(1, pages(4, 2), 0).unwrap();
    bench.iommu.map(1, Mapping { iova: pages(2, 1), phys: 0, perm: Perm::NONE }).unwrap();
    // Group 1 loses a mapping behind our back: to the leg this is a kernel that finds less than there is.
    bench.hosts[1].unmap(pages(4, 2)).unwrap();
    let refusal = bench.iommu.unmap(1, Span::ALL).unwrap_err();
    let Refusal::Host(failure) = refusal else { panic!("{refusal}") };
    assert!(failure.to_string().contains("removed 0x1000 of 0x3000 bytes"), "{failure}");
    assert!(failure.quarantined && failure.endpoints == [16] && !bench.iommu.report().legs[0].quarantined);
    assert_eq!(bench.hosts[1].resets(), 1);
    bench.assert_equal();
    bench.iommu.reset();
    assert!(
        bench.iommu.report().legs[1].quarantined,
        "nobody knows what its device reaches: it stays blocked"
    );
}

#[test]
fn a_full_host_is_out_of_memory_and_the_table_unchanged() {
    let mut bench = with(config(), 3);
    bench.iommu.attach(8, 1, false).unwrap();
    for page in 0..3 {
        bench.map(1, pages(page, 1), 0).unwrap();
    }
    let refusal = bench.map(1, pages(9, 1), 0).unwrap_err();
    assert!(matches!(&refusal, Refusal::Host(failure) if failure.is_exhausted()));
    assert_eq!(bench.iommu.report().domains[0].mappings, 3);
    bench.assert_equal();
    bench.iommu.unmap(1, pages(0, 1)).unwrap();
    bench.map(1, pages(9, 1), 0).unwrap();
}

#[test]
fn an_attach_that_fails_leaves_the_endpoint_where_it_was() {
    for nth in 0..3 {
        let mut bench = attached();
        bench.iommu.attach(24, 2, false).unwrap();
        bench.map(2, pages(7, 1), 0).unwrap();
        bench.map(1, pages(1, 1), 0).unwrap();
        bench.map(1, pages(2, 1), 0).unwrap();
        let plan = FaultPlan::arm(CallId::Type1Map, nth, 1, ENOMEM);
        bench.iommu.attach(24, 1, false).unwrap_err();
        drop(plan);
        assert_eq!(bench.held(2), [(pages(7, 1), 0, Perm::READ_WRITE)], "back in its old domain");
        bench.assert_equal();
    }
}

#[test]
fn an_attach_whose_way_back_fails_too_ends_in_quarantine() {
    let mut bench = attached();
    bench.iommu.attach(24, 2, false).unwrap();
    bench.map(2, pages(7, 1), 0).unwrap();
    let plan = FaultPlan::arm(CallId::Type1Map, 0, 2, ENOMEM);
    bench.iommu.attach(24, 1, false).unwrap_err();
    drop(plan);
    assert!(bench.iommu.report().legs[2].quarantined);
    assert!(bench.held(2).is_empty());
    bench.iommu.attach(24, 1, false).unwrap();
    bench.assert_equal();
}

#[test]
fn a_leg_that_cannot_be_emptied_has_its_devices_reset() {
    let mut bench = attached();
    let plan = FaultPlan::arm(CallId::Type1UnmapAll, 0, 2, EIO);
    bench.iommu.detach(16, 1).unwrap_err();
    drop(plan);
    assert_eq!(bench.hosts[1].resets(), 1);
    assert!(bench.iommu.report().legs[1].quarantined);
    bench.iommu.reset();
    assert!(!bench.iommu.report().legs[1].quarantined);
    bench.assert_equal();
}

/// A thousand times is eleven lines of a kind.
#[test]
fn what_a_guest_can_provoke_again_and_again_fills_no_log() {
    let mut bench = attached();
    bench.put_bar(Some(PLACES[0]));
    for page in 8..12 {
        bench.map(1, pages(page, 1), PLACES[0]).unwrap();
    }
    let moves = logged_lines(|| {
        for turn in 0..1000 {
            bench.put_bar(Some(PLACES[turn % 2]));
            bench.iommu.attach(24, 1, false).unwrap();
            bench.iommu.detach(24, 1).unwrap();
        }
    });
    assert!((1..=11).contains(&moves), "{moves} lines of a BAR that moves");
    bench.iommu.attach(24, 2, false).unwrap();
    bench.map(2, pages(7, 1), 0).unwrap();
    let failures = logged_lines(|| {
        for _ in 0..1000 {
            let _going_back = FaultPlan::arm(CallId::Type1Map, 0, 2, ENOMEM);
            bench.iommu.attach(24, 1, false).unwrap_err();
        }
    });
    assert!((1..=11).contains(&failures), "{failures} lines of a way back that fails");
    let quarantines = logged_lines(|| {
        for _ in 0..1000 {
            let _emptied = FaultPlan::arm(CallId::Type1UnmapAll, 0, 2, EIO);
            let _reset = FaultPlan::arm(CallId::DeviceReset, 0, 1, EIO);
            bench.iommu.attach(24, 2, false).ok();
            bench.iommu.detach(24, 2).ok();
            bench.iommu.reset();
        }
    });
    assert!((1..=4 * 11).contains(&quarantines), "{quarantines} lines of legs that cannot be emptied");
}
