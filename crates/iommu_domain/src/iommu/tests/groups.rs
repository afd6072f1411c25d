//! A host group on its way from one domain to another, one member at a time.

use base::{CallId, FaultPlan};

use super::*;
use crate::Perm;

const EIO: i32 = 5;
const ENOMEM: i32 = 12;
const GROUP: [u32; 3] = [8, 9, 10];

fn page(iova: u64, phys: u64) -> (Span, u64, Perm) {
    (pages(iova, 1), phys * PAGE, Perm::READ_WRITE)
}

/// Group 0 in domain 1, endpoint 16 in domain 2; a page is mapped in each.
fn grouped() -> Bench {
    let mut bench = bench();
    GROUP.into_iter().for_each(|id| bench.iommu.attach(id, 1, false).unwrap());
    bench.iommu.attach(16, 2, false).unwrap();
    bench.map(1, pages(1, 1), PAGE).unwrap();
    bench.map(2, pages(2, 1), 2 * PAGE).unwrap();
    bench
}

fn domain_of(bench: &Bench, endpoint: u32) -> Option<u32> {
    let endpoints = bench.iommu.report().endpoints;
    endpoints.iter().find(|there| there.id == endpoint).and_then(|there| there.domain)
}

fn between(bench: &Bench) -> bool {
    bench.iommu.report().legs[0].between
}

#[test]
fn group_reaches_nothing_from_the_first_attach_to_the_last() {
    let mut bench = grouped();
    for (member, held) in GROUP.into_iter().zip([vec![], vec![], vec![page(2, 2)]]) {
        assert_eq!(bench.held(0).is_empty(), between(&bench), "before {member:#x} moves");
        bench.iommu.attach(member, 2, false).unwrap();
        assert_eq!(bench.held(0), held, "{member:#x} has moved");
        assert_eq!(bench.held(1), [page(2, 2)], "who is in domain 2 already is not touched");
        bench.assert_equal();
    }
    assert!(!between(&bench));
    assert!(matches!(bench.map(1, pages(5, 1), 0), Err(Refusal::NoDomain(1))), "D5");
}

#[test]
fn group_goes_back_in_any_order_as_a_guest_does_that_gives_up() {
    for order in [[8, 9], [9, 8]] {
        let mut bench = grouped();
        bench.iommu.attach(8, 2, false).unwrap();
        bench.iommu.attach(9, 2, false).unwrap();
        for member in order {
            assert!(bench.held(0).is_empty());
            bench.iommu.attach(member, 1, false).unwrap();
        }
        assert_eq!((bench.held(0), between(&bench)), (vec![page(1, 1)], false));
        bench.assert_equal();
    }
}

#[test]
fn tables_change_meanwhile_and_the_group_gets_what_is_there_in_the_end() {
    let mut bench = grouped();
    bench.iommu.attach(8, 2, false).unwrap();
    let calls = bench.hosts[0].calls();
    bench.map(1, pages(5, 1), 0).unwrap();
    bench.map(2, pages(6, 1), 0).unwrap();
    bench.iommu.unmap(1, pages(1, 1)).unwrap();
    bench.iommu.unmap(2, pages(2, 1)).unwrap();
    assert_eq!(bench.hosts[0].calls(), calls, "the group's host is not asked");
    assert_eq!((bench.held(0), bench.held(1)), (vec![], vec![page(6, 0)]));
    bench.iommu.attach(9, 2, false).unwrap();
    bench.iommu.attach(10, 2, false).unwrap();
    assert_eq!(bench.held(0), [page(6, 0)]);
    bench.map(2, pages(7, 1), 0).unwrap();
    assert_eq!(bench.held(0), [page(6, 0), page(7, 0)], "and follows from then on");
    bench.assert_equal();
}

#[test]
fn third_domain_is_refused_and_changes_nothing() {
    let mut bench = grouped();
    bench.iommu.attach(24, 3, false).unwrap();
    bench.iommu.attach(8, 2, false).unwrap();
    for (member, domain) in [(8, 3), (9, 3)] {
        let refusal = bench.iommu.attach(member, domain, false);
        assert!(matches!(refusal, Err(Refusal::GroupElsewhere { .. })), "{refusal:?}");
    }
    assert_eq!((domain_of(&bench, 8), domain_of(&bench, 9)), (Some(2), Some(1)));
    bench.iommu.detach(10, 1).unwrap();
    assert!(matches!(bench.iommu.attach(10, 2, false), Err(Refusal::GroupElsewhere { domain: 1, .. })));
    bench.assert_equal();
}

#[test]
fn detach_in_the_middle_leaves_the_group_where_the_others_are() {
    let mut bench = grouped();
    bench.iommu.attach(8, 2, false).unwrap();
    assert!(matches!(bench.iommu.detach(8, 1), Err(Refusal::NotInDomain { .. })), "D3");
    assert!(bench.held(0).is_empty());
    bench.iommu.detach(9, 1).unwrap();
    assert!(bench.held(0).is_empty(), "8 and 10 still differ");
    bench.iommu.detach(8, 2).unwrap();
    assert_eq!((bench.held(0), between(&bench)), (vec![page(1, 1)], false), "D4: not domain 2's");
    bench.map(1, pages(5, 1), 0).unwrap();
    assert_eq!(bench.held(0).len(), 2, "the leg follows its domain again");
    bench.iommu.detach(10, 1).unwrap();
    assert!(bench.held(0).is_empty());
    bench.assert_equal();
}

#[test]
fn bypass_domains_hold_the_same_so_a_group_may_be_in_several() {
    let mut bench = with(IommuConfig { max_domains: 5, ..config() }, 40);
    for (member, domain) in GROUP.into_iter().zip(1..) {
        bench.iommu.attach(member, domain, true).unwrap();
        assert_eq!((bench.held(0).len(), between(&bench)), (1, false));
    }
    bench.iommu.attach(8, 4, false).unwrap();
    assert!(bench.held(0).is_empty() && between(&bench), "a table and bypass differ");
    bench.iommu.attach(9, 4, false).unwrap();
    bench.iommu.attach(10, 4, false).unwrap();
    bench.map(4, pages(3, 1), 0).unwrap();
    assert_eq!(bench.held(0), [page(3, 0)]);
    bench.assert_equal();
}

#[test]
fn a_bypass_that_was_left_by_one_is_no_bypass_for_the_others() {
    let mut bench = with(IommuConfig { bypass_at_boot: true, ..config() }, 40);
    GROUP.into_iter().for_each(|id| bench.iommu.attach(id, 1, false).unwrap());
    bench.iommu.attach(8, 2, true).unwrap();
    assert!(bench.held(0).is_empty());
    bench.iommu.set_bypass(false);
    bench.iommu.set_bypass(true);
    assert!(bench.held(0).is_empty(), "C6 is about endpoints in no domain");
    bench.iommu.reset();
    assert_eq!((bench.held(0).len(), between(&bench)), (1, false), "C7");
    bench.assert_equal();
}

#[test]
fn regions_of_a_member_count_in_the_domain_that_it_is_in() {
    let mut bench = grouped();
    bench.iommu.attach(8, 3, false).unwrap();
    for domain in [1, 3] {
        let refusal = bench.map(domain, pages(0xfee00, 1), 0);
        assert!(matches!(refusal, Err(Refusal::Reserved { .. })), "{domain}: {refusal:?}");
    }
    bench.iommu.attach(8, 1, false).unwrap();
}

#[test]
fn attach_of_the_first_that_the_host_refuses_to_empty_changes_nothing_for_the_guest() {
    for (times, quarantined) in [(1, false), (3, true)] {
        let mut bench = grouped();
        let plan = FaultPlan::arm(CallId::Type1UnmapAll, 0, times, EIO);
        let refusal = bench.iommu.attach(8, 2, false).unwrap_err();
        drop(plan);
        assert!(matches!(&refusal, Refusal::Host(failure) if failure.endpoints == GROUP), "{refusal}");
        assert_eq!((domain_of(&bench, 8), between(&bench)), (Some(1), false));
        assert_eq!(bench.iommu.report().legs[0].quarantined, quarantined);
        if quarantined {
            assert_eq!(bench.hosts[0].resets(), 1, "its devices are stopped: it cannot be emptied");
            bench.iommu.reset();
        }
        bench.assert_equal();
    }
}

#[test]
fn attach_of_the_last_that_the_host_refuses_to_fill_leaves_the_group_between() {
    let mut bench = grouped();
    bench.iommu.attach(8, 2, false).unwrap();
    bench.iommu.attach(9, 2, false).unwrap();
    let plan = FaultPlan::arm(CallId::Type1Map, 0, 1, ENOMEM);
    let refusal = bench.iommu.attach(10, 2, false).unwrap_err();
    drop(plan);
    assert!(matches!(&refusal, Refusal::Host(failure) if failure.is_exhausted() && !failure.quarantined));
    assert_eq!((domain_of(&bench, 8), domain_of(&bench, 10)), (Some(2), Some(1)));
    assert!(bench.held(0).is_empty() && between(&bench), "it reaches nothing, and is not blocked");
    assert_eq!(bench.hosts[0].resets(), 0);
    bench.assert_equal();
    bench.iommu.attach(10, 2, false).unwrap();
    assert_eq!(bench.held(0), [page(2, 2)], "the guest may ask again");
    bench.assert_equal();
}

#[test]
fn detach_that_brings_the_others_together_blocks_them_when_the_host_cannot_follow() {
    let mut bench = grouped();
    bench.iommu.attach(8, 2, false).unwrap();
    let plan = FaultPlan::arm(CallId::Type1Map, 0, 1, ENOMEM);
    let refusal = bench.iommu.detach(8, 2).unwrap_err();
    drop(plan);
    assert!(matches!(&refusal, Refusal::Host(failure) if failure.quarantined));
    assert_eq!((domain_of(&bench, 8), bench.hosts[0].resets()), (None, 1), "detached all the same: D4");
    assert!(bench.held(0).is_empty());
    bench.iommu.attach(8, 1, false).unwrap();
    assert_eq!(bench.held(0), [page(1, 1)], "the next ATTACH finds that the host can again");
    bench.assert_equal();
}
