use super::*;
use crate::{Mapping, Perm};

fn attached() -> Bench {
    let mut bench = bench();
    bench.iommu.attach(8, 1, false).unwrap();
    bench.iommu.attach(16, 1, false).unwrap();
    bench
}

#[test]
fn permissions_reach_every_leg_unchanged() {
    let mut bench = attached();
    for (page, perm) in [(1, Perm::READ), (2, Perm::WRITE), (3, Perm::READ_WRITE)] {
        bench.iommu.map(1, Mapping { iova: pages(page, 1), phys: page * PAGE, perm }).unwrap();
    }
    let expected = [Perm::READ, Perm::WRITE, Perm::READ_WRITE];
    for leg in 0..2 {
        assert_eq!(bench.held(leg).iter().map(|(.., perm)| *perm).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_mapping_that_permits_nothing_is_in_the_table_only() {
    let mut bench = attached();
    bench.iommu.map(1, Mapping { iova: pages(1, 1), phys: 0, perm: Perm::NONE }).unwrap();
    assert!(bench.held(0).is_empty());
    assert!(matches!(bench.map(1, pages(1, 1), 0), Err(Refusal::Overlap { .. })));
    bench.iommu.unmap(1, pages(1, 1)).unwrap();
    bench.map(1, pages(1, 1), 0).unwrap();
    bench.assert_equal();
}

type Expected = fn(&Refusal) -> bool;

#[test]
fn bad_mappings_are_refused_and_change_nothing() {
    let mut bench = attached();
    bench.map(1, pages(10, 2), 0).unwrap();
    let before = bench.held(0);
    let cases: [(&str, Span, u64, Expected); 9] = [
        ("start off the granule", span(1, 0xfff), 0, |r| matches!(r, Refusal::Misaligned { address: 1, .. })),
        ("end off the granule", span(0, 0x1000), 0, |r| {
            matches!(r, Refusal::Misaligned { address: 0x1000, .. })
        }),
        ("target off the granule", pages(1, 1), 8, |r| matches!(r, Refusal::Misaligned { address: 8, .. })),
        ("overlap at the start", pages(9, 2), 0, |r| matches!(r, Refusal::Overlap { .. })),
        ("overlap at the end", pages(11, 2), 0, |r| matches!(r, Refusal::Overlap { .. })),
        ("beyond RAM", pages(20, 2), RAM - PAGE, |r| matches!(r, Refusal::NotMemory { .. })),
        ("target at the end of space", pages(20, 2), u64::MAX - 0xfff, |r| {
            matches!(r, Refusal::NotMemory { .. })
        }),
        ("all of the space", Span::ALL, 0, |r| matches!(r, Refusal::OutOfRange { .. })),
        ("reserved", pages(0xfee00, 1), 0, |r| matches!(r, Refusal::Reserved { .. })),
    ];
    for (name, iova, phys, expected) in cases {
        let refusal = bench.map(1, iova, phys).unwrap_err();
        assert!(expected(&refusal), "{name}: {refusal}");
    }
    assert_eq!(bench.held(0), before);
    bench.assert_equal();
}

#[test]
fn the_ends_of_the_address_space_can_be_mapped() {
    let mut bench = attached();
    let last = span(u64::MAX - 0x1fff, u64::MAX - 0x1000);
    bench.map(1, pages(0, 1), 0).unwrap();
    bench.map(1, last, PAGE).unwrap();
    assert_eq!(bench.held(1), [(pages(0, 1), 0, Perm::READ_WRITE), (last, PAGE, Perm::READ_WRITE)]);
    bench.iommu.unmap(1, last).unwrap();
    bench.iommu.unmap(1, Span::ALL).unwrap();
    bench.assert_equal();
    assert!(bench.held(1).is_empty());
}

#[test]
fn what_ends_with_the_address_space_is_refused_whatever_the_input_range() {
    for granule in [PAGE, 16 * PAGE] {
        let mut bench = with(IommuConfig { granule, ..config() }, 40);
        bench.iommu.attach(8, 1, false).unwrap();
        let first = u64::MAX - (2 * granule - 1);
        for start in [first, first + granule] {
            let refusal = bench.map(1, span(start, u64::MAX), 0).unwrap_err();
            assert!(matches!(refusal, Refusal::OutOfRange { .. }), "{refusal}");
        }
        bench.map(1, span(first, first + (granule - 1)), 0).unwrap();
        bench.iommu.unmap(1, Span::ALL).unwrap();
        assert!(bench.held(0).is_empty(), "{granule:#x}");
    }
}

#[test]
fn addresses_outside_the_input_range_are_refused() {
    let mut bench = with(IommuConfig { input: pages(1, 100), ..config() }, 40);
    bench.iommu.attach(8, 1, false).unwrap();
    for outside in [pages(0, 1), pages(0, 2), pages(100, 2), pages(101, 1)] {
        assert!(matches!(bench.map(1, outside, 0), Err(Refusal::OutOfRange { .. })), "{outside}");
    }
    bench.map(1, pages(1, 1), 0).unwrap();
    bench.map(1, pages(100, 1), 0).unwrap();
}

/// The seven worked examples of the specification, a page for each of its bytes.
#[test]
fn unmap_follows_the_worked_examples() {
    let mut bench = attached();
    bench.iommu.unmap(1, pages(0, 5)).unwrap(); // (1) nothing there
    bench.map(1, pages(0, 10), 0).unwrap();
    bench.iommu.unmap(1, pages(0, 10)).unwrap(); // (2) exact
    bench.map(1, pages(0, 5), 0).unwrap();
    bench.map(1, pages(5, 5), 0).unwrap();
    bench.iommu.unmap(1, pages(0, 10)).unwrap(); // (3) two at once
    bench.map(1, pages(0, 10), 0).unwrap();
    assert!(matches!(bench.iommu.unmap(1, pages(0, 5)), Err(Refusal::Split { .. }))); // (4) half of one
    assert!(matches!(bench.iommu.unmap(1, pages(5, 5)), Err(Refusal::Split { .. })));
    assert_eq!(bench.held(0).len(), 1);
    bench.iommu.unmap(1, pages(0, 10)).unwrap();
    bench.map(1, pages(0, 5), 0).unwrap();
    bench.map(1, pages(5, 5), 0).unwrap();
    bench.iommu.unmap(1, pages(0, 5)).unwrap(); // (5) the first of two
    assert_eq!(bench.held(1), [(pages(5, 5), 0, Perm::READ_WRITE)]);
    bench.map(1, pages(0, 5), 0).unwrap();
    bench.iommu.unmap(1, pages(0, 15)).unwrap(); // (6) spills over
    bench.map(1, pages(0, 5), 0).unwrap();
    bench.map(1, pages(10, 5), 0).unwrap();
    bench.iommu.unmap(1, pages(0, 15)).unwrap(); // (7) across a hole
    assert!(bench.held(0).is_empty());
    bench.assert_equal();
}

#[test]
fn an_unmap_that_splits_removes_nothing() {
    let mut bench = attached();
    bench.map(1, pages(0, 2), 0).unwrap();
    bench.map(1, pages(2, 2), 0).unwrap();
    assert!(matches!(bench.iommu.unmap(1, pages(0, 3)), Err(Refusal::Split { .. })), "U4");
    assert_eq!(bench.held(0).len(), 2);
    bench.assert_equal();
}

#[test]
fn unmapping_many_mappings_is_one_call_for_each_leg() {
    let mut bench = attached();
    for page in 0..20 {
        bench.map(1, pages(page * 2, 1), 0).unwrap();
    }
    let before: Vec<_> = bench.hosts.iter().map(|host| host.calls()).collect();
    bench.iommu.unmap(1, Span::ALL).unwrap();
    let after: Vec<_> = bench.hosts.iter().map(|host| host.calls()).collect();
    assert_eq!([after[0] - before[0], after[1] - before[1], after[2] - before[2]], [1, 1, 0]);
}

#[test]
fn mappings_are_capped() {
    let mut bench = with(IommuConfig { max_mappings: 2, ..config() }, 40);
    bench.iommu.attach(8, 1, false).unwrap();
    bench.map(1, pages(0, 1), 0).unwrap();
    bench.map(1, pages(1, 1), 0).unwrap();
    assert!(matches!(bench.map(1, pages(2, 1), 0), Err(Refusal::TooMany { cap: 2, .. })));
    bench.assert_equal();
}

#[test]
fn the_guests_doorbell_is_accepted_in_a_doorbell_window_and_stays_in_software() {
    let mut bench = with(IommuConfig { doorbell_windows: vec![window()], ..config() }, 40);
    bench.iommu.attach(8, 1, false).unwrap();
    let place = pages(0xfee00, 1);
    assert!(matches!(bench.map(1, place, 0), Err(Refusal::Reserved { .. })), "RAM is not welcome there");
    bench.map(1, place, DOORBELL).unwrap();
    assert!(bench.held(0).is_empty());
    assert_eq!(bench.iommu.translate(8, place.start() + 0x40, Perm::WRITE).unwrap().0, DOORBELL + 0x40);
    bench.iommu.attach(16, 1, false).unwrap();
    bench.assert_equal();
}

#[test]
fn mappings_that_no_host_holds_are_counted_apart() {
    let mut bench = with(IommuConfig { doorbell_windows: vec![window()], ..config() }, 40);
    bench.iommu.attach(8, 1, false).unwrap();
    let counts = |bench: &Bench| {
        let report = bench.iommu.report();
        (report.domains[0].mappings, report.domains[0].software, report.legs[0].mappings)
    };
    bench.map(1, pages(0xfee00, 1), DOORBELL).unwrap();
    bench.map(1, pages(1, 1), 0).unwrap();
    bench.iommu.map(1, Mapping { iova: pages(2, 1), phys: PAGE, perm: Perm::NONE }).unwrap();
    assert_eq!(counts(&bench), (3, 2, 1));
    bench.iommu.unmap(1, pages(2, 1)).unwrap();
    assert_eq!(counts(&bench), (2, 1, 1));
    bench.iommu.unmap(1, Span::ALL).unwrap();
    assert_eq!(counts(&bench), (0, 0, 0));
}

#[test]
fn accesses_translate_as_mapped() {
    use crate::TranslateFault::*;
    let mut bench = bench();
    assert_eq!(bench.iommu.translate(8, 0, Perm::READ), Err(NoDomain));
    bench.iommu.set_bypass(true);
    assert_eq!(bench.iommu.translate(8, 7, Perm::READ).unwrap().0, 7);
    bench.iommu.attach(8, 1, false).unwrap();
    bench.iommu.map(1, Mapping { iova: pages(4, 2), phys: PAGE, perm: Perm::READ }).unwrap();
    assert_eq!(bench.iommu.translate(8, 5 * PAGE + 1, Perm::READ).unwrap().0, 2 * PAGE + 1);
    assert_eq!(bench.iommu.translate(8, 6 * PAGE, Perm::READ), Err(NoMapping(6 * PAGE)));
    let forbidden = Forbidden { address: 4 * PAGE, allowed: Perm::READ };
    assert_eq!(bench.iommu.translate(8, 4 * PAGE, Perm::WRITE), Err(forbidden));
    let region = Some(window());
    assert_eq!(bench.iommu.translate_msi(8, 0xfee0_1000, region).unwrap().0, 0xfee0_1000);
    assert_eq!(bench.iommu.translate_msi(8, 4 * PAGE, region), Err(forbidden));
}
