use virtio_iommu_spec::{Request, Status};

use super::super::rig::*;

#[test]
fn d1_reserved_bytes_are_ignored() {
    let mut rig = rig();
    for at in 12..20 {
        rig.attach(8, 1);
        let mut request = bytes(&Request::Detach { domain: 1, endpoint: 8 });
        request[at] = 0xff;
        assert_eq!(rig.raw(&request, 4).bytes, [0; 4], "byte {at}");
        assert_eq!(rig.domain_of(8), None);
    }
}

#[test]
fn d2_an_endpoint_that_does_not_exist_is_refused() {
    let mut rig = rig();
    rig.attach(8, 1);
    assert_eq!(rig.detach(444, 1), Status::NoEnt);
    assert_eq!(rig.detach(444, 9), Status::NoEnt);
    assert_eq!(rig.domain_of(8), Some(1));
}

#[test]
fn d3_a_domain_that_does_not_hold_the_endpoint_is_refused() {
    let mut rig = rig();
    assert_eq!(rig.detach(8, 1), Status::Inval, "in no domain at all");
    rig.attach(8, 1);
    rig.attach(16, 2);
    rig.map_page(1, 5);
    for domain in [0, 2, 9, u32::MAX] {
        assert_eq!(rig.detach(8, domain), Status::Inval, "domain {domain}");
    }
    assert_eq!((rig.domain_of(8), rig.held(0).len()), (Some(1), 1), "nothing changed");
}

#[test]
fn d4_afterwards_the_endpoint_reaches_no_mapping_of_the_domain() {
    let mut rig = rig();
    rig.attach(8, 1);
    rig.attach(16, 1);
    rig.map_page(1, 5);
    assert_eq!(rig.detach(8, 1), Status::Ok);
    assert!(rig.held(0).is_empty());
    assert_eq!(rig.held(1).len(), 1, "the other endpoint keeps them");
    rig.map_page(1, 6);
    assert!(rig.held(0).is_empty(), "and later ones do not reach it either");
}

#[test]
fn d5_a_domain_ends_with_its_last_endpoint() {
    let mut rig = rig();
    rig.attach(8, 1);
    rig.attach(16, 1);
    rig.map_page(1, 5);
    rig.detach(8, 1);
    assert_eq!(rig.map_page(1, 5), Status::Inval, "it lives while one is left: the page is still mapped");
    rig.detach(16, 1);
    assert_eq!(rig.map_page(1, 5), Status::NoEnt);
    assert_eq!(rig.attach_bypass(8, 1), Status::Ok, "the number is free, for another kind too");
    rig.detach(8, 1);
    rig.attach(8, 1);
    assert!(rig.held(0).is_empty(), "a new domain of that number is empty");
}
