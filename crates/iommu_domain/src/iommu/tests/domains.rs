use super::*;
use crate::Perm;

#[test]
fn two_endpoints_share_a_domain_and_leave_it_one_by_one() {
    let mut bench = bench();
    bench.iommu.attach(8, 1, false).unwrap();
    bench.map(1, pages(1, 2), 0).unwrap();
    bench.iommu.attach(16, 1, false).unwrap();
    assert_eq!(bench.held(1), [(pages(1, 2), 0, Perm::READ_WRITE)], "attach replays");
    bench.iommu.detach(8, 1).unwrap();
    assert!(bench.held(0).is_empty());
    assert_eq!(bench.held(1).len(), 1, "the other is untouched");
    bench.iommu.detach(16, 1).unwrap();
    assert!(bench.held(1).is_empty());
    bench.iommu.attach(16, 1, false).unwrap();
    assert!(bench.held(1).is_empty(), "D5: the mappings ended with the last endpoint");
    bench.assert_equal();
}

#[test]
fn attach_elsewhere_is_detach_and_attach() {
    let mut bench = bench();
    bench.iommu.attach(16, 1, false).unwrap();
    bench.iommu.attach(24, 2, false).unwrap();
    bench.map(1, pages(1, 1), 0).unwrap();
    bench.map(2, pages(5, 1), 0).unwrap();
    bench.iommu.attach(16, 2, false).unwrap();
    assert_eq!(bench.held(1), [(pages(5, 1), 0, Perm::READ_WRITE)]);
    assert!(matches!(bench.map(1, pages(1, 1), 0), Err(Refusal::NoDomain(1))));
    bench.iommu.attach(16, 2, false).unwrap();
    assert_eq!(bench.held(1).len(), 1, "A10: attaching again loses nothing");
    bench.assert_equal();
}

#[test]
fn detach_of_the_wrong_domain_changes_nothing() {
    let mut bench = bench();
    bench.iommu.attach(8, 1, false).unwrap();
    bench.iommu.attach(16, 2, false).unwrap();
    bench.map(1, pages(1, 1), 0).unwrap();
    bench.map(2, pages(2, 1), 0).unwrap();
    let before = (bench.held(0), bench.held(1));
    for domain in [2, 7] {
        assert!(matches!(bench.iommu.detach(8, domain), Err(Refusal::NotInDomain { .. })));
    }
    assert!(matches!(bench.iommu.detach(444, 1), Err(Refusal::NoEndpoint(444))));
    assert_eq!((bench.held(0), bench.held(1)), before);
    bench.assert_equal();
}

#[test]
fn a_member_joins_its_group_and_no_other_domain() {
    let mut bench = bench();
    bench.iommu.attach(8, 1, false).unwrap();
    assert!(matches!(bench.iommu.attach(9, 2, false), Err(Refusal::GroupElsewhere { domain: 1, .. })));
    bench.iommu.attach(9, 1, false).unwrap();
    bench.map(1, pages(0, 1), 0).unwrap();
    bench.iommu.detach(8, 1).unwrap();
    assert_eq!(bench.held(0).len(), 1, "its other member is still there");
    bench.iommu.detach(9, 1).unwrap();
    assert!(bench.held(0).is_empty());
}

#[test]
fn reset_empties_all_legs_and_keeps_bypass() {
    let mut bench = bench();
    bench.iommu.attach(8, 1, false).unwrap();
    bench.iommu.attach(16, 2, true).unwrap();
    bench.map(1, pages(3, 1), 0).unwrap();
    bench.iommu.reset();
    assert!((0..3).all(|leg| bench.held(leg).is_empty()));
    assert!(matches!(bench.map(1, pages(3, 1), 0), Err(Refusal::NoDomain(1))));
    bench.iommu.set_bypass(true);
    bench.iommu.reset();
    assert!(bench.iommu.bypass());
    assert!((0..3).all(|leg| bench.held(leg).len() == 1), "unattached endpoints bypass");
    bench.iommu.system_reset();
    assert!(!bench.iommu.bypass());
    assert!((0..3).all(|leg| bench.held(leg).is_empty()));
}

#[test]
fn bypass_domains_hold_ram_one_to_one_and_take_no_mappings() {
    let mut bench = bench();
    bench.iommu.attach(16, 1, true).unwrap();
    assert_eq!(bench.held(1), [(pages(0, RAM / PAGE), 0, Perm::READ_WRITE)]);
    assert!(matches!(bench.map(1, pages(0, 1), 0), Err(Refusal::BypassDomain(1))));
    assert!(matches!(bench.iommu.unmap(1, Span::ALL), Err(Refusal::BypassDomain(1))));
    assert!(matches!(bench.iommu.attach(24, 1, false), Err(Refusal::BypassMismatch(1))));
    bench.iommu.attach(24, 1, true).unwrap();
    bench.assert_equal();
}

#[test]
fn a_mismatch_leaves_the_endpoint_where_it_was() {
    let mut bench = bench();
    bench.iommu.attach(16, 1, false).unwrap();
    bench.map(1, pages(0, 1), 0).unwrap();
    bench.iommu.attach(24, 2, true).unwrap();
    assert!(matches!(bench.iommu.attach(16, 2, false), Err(Refusal::BypassMismatch(2))), "A5");
    assert_eq!(bench.held(1).len(), 1);
    bench.assert_equal();
}

#[test]
fn domains_are_capped() {
    let mut bench = bench();
    for (endpoint, domain) in [(8, 1), (16, 2), (24, 3)] {
        bench.iommu.attach(endpoint, domain, false).unwrap();
    }
    assert!(matches!(bench.iommu.attach(24, 4, false), Err(Refusal::TooMany { cap: 3, .. })));
    assert!(matches!(bench.iommu.attach(99, 1, false), Err(Refusal::NoEndpoint(99))), "A3");
}

#[test]
fn there_is_no_bypass_where_a_part_of_ram_is_outside_the_input_range() {
    for input in [pages(0, RAM / PAGE - 1), pages(1, RAM / PAGE)] {
        let mut bench = with(IommuConfig { input, bypass_at_boot: true, ..config() }, 40);
        bench.iommu.attach(24, 2, false).unwrap();
        assert!(matches!(bench.iommu.attach(24, 1, true), Err(Refusal::NoBypass)));
        bench.iommu.set_bypass(true);
        assert!(!bench.iommu.bypass() && !bench.iommu.can_bypass());
        bench.assert_equal();
        bench.iommu.system_reset();
        assert!(!bench.iommu.bypass());
        bench.assert_equal();
    }
}
