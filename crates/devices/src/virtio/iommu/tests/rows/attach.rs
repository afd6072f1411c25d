use virtio_iommu_spec::{Request, ResvKind, ResvMem, Status};

use super::super::rig::*;

#[test]
fn a1_reserved_bytes_are_refused() {
    let mut rig = rig();
    for bit in 0..32 {
        let request = Request::Attach { domain: 1, endpoint: 8, flags: 0, reserved: 1 << bit };
        assert_eq!(rig.send(request), Status::Inval, "bit {bit}");
    }
    assert_eq!(rig.domain_of(8), None);
}

#[test]
fn a2_an_unknown_flag_is_refused() {
    let mut rig = rig();
    for bit in 1..32 {
        let request = Request::Attach { domain: 1, endpoint: 8, flags: 1 << bit, reserved: 0 };
        assert_eq!(rig.send(request), Status::Inval, "bit {bit}");
    }
    assert_eq!(rig.domain_of(8), None);
}

#[test]
fn a3_an_endpoint_that_does_not_exist_is_refused() {
    let mut rig = rig();
    for endpoint in [0, 7, 9, 444, u32::MAX] {
        assert_eq!(rig.attach(endpoint, 1), Status::NoEnt);
    }
    assert!(rig.device.handle().report().iommu.domains.is_empty(), "no domain was made");
}

#[test]
fn a4_a_second_endpoint_joins_or_is_refused_when_the_host_cannot() {
    let group = vec![(8, Some(0), vec![]), (9, Some(0), vec![]), (16, Some(1), vec![])];
    let mut rig = Plan { endpoints: group, ..Plan::default() }.build();
    assert_eq!(rig.attach(8, 1), Status::Ok);
    assert_eq!(rig.attach(16, 1), Status::Ok, "another group, the same domain");
    assert_eq!(rig.attach(9, 2), Status::Unsupp, "one group, two domains");
    assert_eq!(rig.domain_of(9), None);
    assert_eq!(rig.attach(9, 1), Status::Ok, "one group, one domain");
}

#[test]
fn a5_a_domain_of_the_other_kind_is_refused_and_the_endpoint_stays() {
    let mut rig = rig();
    rig.attach(8, 1);
    rig.attach(16, 2);
    rig.map_page(2, 7);
    assert_eq!(rig.attach_bypass(16, 1), Status::Inval);
    assert_eq!((rig.domain_of(16), rig.held(1).len()), (Some(2), 1), "where it was, with its mapping");
    assert_eq!(rig.attach_bypass(8, 3), Status::Ok);
    assert_eq!(rig.attach(16, 3), Status::Inval);
    assert_eq!((rig.domain_of(16), rig.held(1).len()), (Some(2), 1));
}

#[test]
fn a6_an_endpoint_leaves_its_old_domain_first() {
    let mut rig = rig();
    rig.attach(8, 1);
    rig.map_page(1, 5);
    assert_eq!(rig.attach(8, 2), Status::Ok);
    assert!(rig.held(0).is_empty(), "nothing of the old domain");
    assert_eq!(rig.map_page(1, 6), Status::NoEnt, "which ended with its last endpoint");
    assert_eq!(rig.map_page(2, 6), Status::Ok);
}

#[test]
fn a6_a_group_leaves_its_old_domain_one_by_one_and_reaches_nothing_meanwhile() {
    let endpoints = vec![(8, Some(0), vec![]), (9, Some(0), vec![]), (16, Some(1), vec![])];
    let mut rig = Plan { endpoints, ..Plan::default() }.build();
    for (endpoint, domain) in [(8, 1), (9, 1), (16, 3)] {
        assert_eq!(rig.attach(endpoint, domain), Status::Ok);
    }
    assert_eq!(rig.map_page(1, 5), Status::Ok);
    for domain in [2, 1] {
        assert_eq!(rig.attach(8, domain), Status::Ok, "Linux moves a member without DETACH");
        assert_eq!((rig.domain_of(8), rig.domain_of(9)), (Some(domain), Some(3 - domain)), "A8");
        assert!(rig.held(0).is_empty(), "neither table, nor both");
        assert_eq!(rig.attach(9, 3), Status::Unsupp, "A4: a third domain is one too many");
        assert_eq!(rig.map_page(domain, 6), Status::Ok, "as Linux replays what the domain maps");
        assert_eq!(rig.attach(9, domain), Status::Ok);
        assert_eq!(rig.held(0).len(), 1, "what the domain maps, and no more");
        assert_eq!(rig.map_page(3 - domain, 7), Status::NoEnt, "D5: the old domain has ended");
    }
}

#[test]
fn a7_an_endpoint_that_must_not_use_what_is_mapped_is_refused() {
    let own = ResvMem { kind: ResvKind::Reserved, span: span(5 * PAGE, 7 * PAGE - 1) };
    let endpoints = vec![(8, Some(0), vec![]), (16, Some(1), vec![own])];
    let mut rig = Plan { endpoints, ..Plan::default() }.build();
    rig.attach(8, 1);
    rig.map_page(1, 6);
    assert_eq!(rig.attach(16, 1), Status::Unsupp);
    assert_eq!(rig.domain_of(16), None);
    rig.unmap(1, 0, u64::MAX);
    assert_eq!(rig.attach(16, 1), Status::Ok);
    assert_eq!(rig.map_page(1, 6), Status::Inval, "and from then on nothing is mapped there");
}

#[test]
fn a8_after_ok_the_endpoint_has_all_mappings_of_the_domain() {
    let mut rig = rig();
    rig.attach(8, 1);
    for (page, flags) in [(0, 1), (1, 2), (0x8_0000, 3)] {
        rig.map(1, page * PAGE, page * PAGE + 0xfff, 3 * PAGE, flags);
    }
    assert_eq!(rig.attach(16, 1), Status::Ok);
    assert_eq!((rig.domain_of(16), rig.held(1).len()), (Some(1), 3));
    assert_eq!(rig.held(1), rig.held(0), "addresses and permissions alike");
}

#[test]
fn a10_attaching_again_changes_nothing() {
    let mut rig = rig();
    rig.attach(8, 1);
    rig.map_page(1, 5);
    let calls = rig.hosts[0].calls();
    assert_eq!(rig.attach(8, 1), Status::Ok);
    assert_eq!((rig.held(0).len(), rig.hosts[0].calls()), (1, calls), "the sole endpoint keeps its mappings");
}
