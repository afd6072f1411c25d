//! Input range, page size and reserved regions of several groups together.

use super::*;

const MSI: Region = Region { span: span_of(X86_MSI), kind: RegionKind::Msi };

const fn span_of((start, last): (u64, u64)) -> Span {
    match Span::new(start, last) {
        Some(span) => span,
        None => Span::ALL,
    }
}

fn reserved(start: u64, last: u64) -> Region {
    Region { span: span(start, last), kind: RegionKind::Reserved }
}

fn published(change: impl Fn(&mut FakeHost), ram: &[Span]) -> ViommuPlan {
    let mut host = FakeHost::new(Arch::X86_64);
    host.add(2, 4);
    change(&mut host);
    let wish = assignment(Arch::X86_64, &[device(1), device(2)]);
    planned(&host, &wish, &GuestMap { ram: ram.to_vec(), ..GuestMap::default() })
        .unwrap_or_else(|refusals| panic!("{refusals:#?}"))
        .viommu
        .unwrap()
}

fn add(host: &mut FakeHost, group: u32, start: u64, last: u64, kind: HostRegionKind) {
    host.group_mut(group).reserved.push(region(start, last, kind));
}

#[test]
fn x86_always_shows_its_msi_window_once() {
    for windows in [&[][..], &[X86_MSI], &[X86_MSI, X86_MSI], &[(0xfee0_0000, 0xfee0_0fff)]] {
        let viommu = published(
            |host| {
                let regions = windows.iter().map(|(start, last)| region(*start, *last, HostRegionKind::Msi));
                host.group_mut(3).reserved = regions.collect();
                host.group_mut(4).reserved.clear();
            },
            &[],
        );
        assert_eq!(viommu.reserved, [MSI], "{windows:x?}");
    }
}

#[test]
fn regions_of_all_groups_are_united() {
    use HostRegionKind::{DirectRelaxable, Msi, Reserved};
    let viommu = published(
        |host| {
            add(host, 3, 0xfd_0000_0000, 0xff_ffff_ffff, Reserved);
            add(host, 4, 0x1000, 0x1fff, Reserved);
            // Touches and overlaps the one before: one region in the end. Not aligned: grows outwards.
            add(host, 4, 0x2000, 0x2fff, DirectRelaxable);
            add(host, 3, 0x2800, 0x3010, Reserved);
            // Overlaps the MSI window from below: the part outside stays reserved.
            add(host, 4, 0xfeda_0000, 0xfee0_ffff, Msi);
        },
        &[],
    );
    let expected = [
        reserved(0x1000, 0x3fff),
        reserved(0xfeda_0000, 0xfedf_ffff),
        MSI,
        reserved(0xfd_0000_0000, 0xff_ffff_ffff),
    ];
    assert_eq!(viommu.reserved, expected);
}

#[test]
fn holes_of_the_apertures_are_reserved_inside_the_input_range() {
    let viommu = published(
        |host| {
            host.group_mut(3).trial =
                Trial::Attached(aperture(39, &[span(0x5000, 0x5fff), span_of(X86_MSI)]));
            host.group_mut(4).trial = Trial::Attached(aperture(48, &[span(0x70_0000_0000, 0x9f_ffff_ffff)]));
        },
        &[],
    );
    assert_eq!(viommu.input_range, span(0, (1 << 39) - 1));
    assert_eq!(viommu.reserved, [reserved(0x5000, 0x5fff), MSI, reserved(0x70_0000_0000, 0x7f_ffff_ffff)]);
}

#[test]
fn input_range_is_what_all_groups_share() {
    for (first, second, expected) in [
        ((0, (1 << 39) - 1), (0, (1 << 48) - 1), (0, (1 << 39) - 1)),
        ((0x1000, u64::MAX), (0, u64::MAX), (0x1000, u64::MAX - 0x1000)),
        ((0x1000, u64::MAX - 1), (0, u64::MAX), (0x1000, u64::MAX - 0x1000)),
        ((0, u64::MAX - 0x1000), (0, u64::MAX), (0, u64::MAX - 0x1000)),
        ((0x800, 0x10_0fff), (0, 0x20_0000), (0x1000, 0x10_0fff)),
        ((0, 0x10_0ffe), (0, u64::MAX), (0, 0xf_ffff)),
    ] {
        let viommu = published(
            |host| {
                for (group, (start, last)) in [(3, first), (4, second)] {
                    let Trial::Attached(aperture) = &mut host.group_mut(group).trial else { panic!() };
                    aperture.ranges = vec![span(start, last)];
                }
            },
            &[],
        );
        assert_eq!(viommu.input_range, span(expected.0, expected.1), "{first:x?} {second:x?}");
    }
}

#[test]
fn page_size_is_the_coarsest_granule_alone() {
    for (first, second, expected) in [
        (0x4020_1000, 0x4020_1000, 0x1000),
        (0x4020_1000, 0x2001_0000, 0x1_0000),
        (0xfff, 0x1000, 0x1000),
        (u64::MAX, u64::MAX, 0x1000),
    ] {
        let viommu = published(
            |host| {
                for (group, bits) in [(3, first), (4, second)] {
                    let Trial::Attached(aperture) = &mut host.group_mut(group).trial else { panic!() };
                    aperture.page_sizes = PageMask::new(bits).unwrap();
                }
            },
            &[],
        );
        assert_eq!(viommu.page_mask.bits(), expected, "{first:x} {second:x}");
    }
}

#[test]
fn groups_beside_the_virtual_iommu_do_not_narrow_it() {
    let mut host = FakeHost::new(Arch::X86_64);
    host.add(2, 4).group_mut(4).trial = Trial::Attached(aperture(32, &[]));
    let beside = VfioConfig { behind_viommu: false, ..device(2) };
    let plan = good(&host, &assignment(Arch::X86_64, &[device(1), beside]));
    assert_eq!(plan.viommu.unwrap().input_range, span(0, (1 << 39) - 1));
    assert_eq!(plan.groups.iter().map(|group| group.behind_viommu).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn memory_that_firmware_used_at_boot_is_left_out_where_the_guest_has_ram() {
    let change =
        |host: &mut FakeHost| add(host, 3, 0x7000_0000, 0x7000_0fff, HostRegionKind::DirectRelaxable);
    assert_eq!(published(change, &[]).reserved, [reserved(0x7000_0000, 0x7000_0fff), MSI]);
    assert_eq!(published(change, &[span(0, 0x7fff_ffff)]).reserved, [MSI]);
}

#[test]
fn regions_at_both_ends_of_the_address_space_are_kept() {
    let viommu = published(
        |host| {
            add(host, 3, 0, 0xfff, HostRegionKind::Reserved);
            add(host, 3, u64::MAX - 0xfff, u64::MAX, HostRegionKind::Reserved);
            add(host, 4, u64::MAX - 0x1fff, u64::MAX, HostRegionKind::Reserved);
        },
        &[],
    );
    assert_eq!(viommu.reserved, [reserved(0, 0xfff), MSI, reserved(u64::MAX - 0x1fff, u64::MAX)]);
}
