//! Where pages go: I8 (exhaustion), I11 (determinism), the letter's rule and mainline's.

use data_model::Span;
use proptest::prelude::*;

use super::super::*;
use super::kit::*;

fn iova(domain: &mut MixedDomain, n: u64) -> Result<u64, Failure> {
    domain.msi_prepare(1, n * PAGE)
}

/// What is mapped where, in bytes, and the page that is taken then.
type Around = (&'static str, &'static [(u64, u64)], u64);

#[test]
fn the_highest_hole_is_taken_whatever_lies_around_it() {
    let cases: [Around; 5] = [
        ("nothing", &[], 0xffff_f000),
        ("the top page", &[(0xffff_f000, PAGE)], 0xffff_e000),
        ("a slot that leaves the top page", &[(0x8000_0000, 0x7fff_f000)], 0xffff_f000),
        ("all but one page in the middle", &[(0, 0x8000_0000), (0x8000_1000, 0x7fff_f000)], 0x8000_0000),
        ("all but page 0 and page 1", &[(0x2000, GIB4 - 0x2000)], 0x1000),
    ];
    for (name, slots, expected) in cases {
        let mut domain = seed();
        slots.iter().for_each(|(start, len)| map(&mut domain, *start, *len).unwrap());
        assert_eq!(iova(&mut domain, 7), Ok(expected), "{name}");
    }
    let mut domain = seed();
    map(&mut domain, 0x1000, GIB4 - 0x1000).unwrap();
    assert_eq!(errno(iova(&mut domain, 7)), Errno::NoMem, "page 0 is never used");
    map(&mut domain, 0, PAGE).unwrap();
}

#[test]
fn a_page_larger_than_the_granule_needs_a_whole_aligned_hole() {
    let config = Config { msi_page: 0x1_0000, ..Config::seed(of(0, 0x5_0000)) };
    let mut domain = with_device(config);
    map(&mut domain, 0x4_f000, PAGE).unwrap();
    assert_eq!(domain.msi_prepare(1, 0x12_3456), Ok(0x3_3456));
    map(&mut domain, 0x2_0000, PAGE).unwrap();
    assert_eq!(domain.msi_prepare(1, 0x50_0000), Ok(0x1_0000));
    assert_eq!(errno(domain.msi_prepare(1, 0x60_0000)), Errno::NoMem);
}

#[test]
fn the_last_page_of_the_address_space_is_a_page_like_any() {
    let mut domain = with_device(Config::seed(Span::ALL));
    assert_eq!(iova(&mut domain, 1), Ok(u64::MAX - 0xfff));
    assert_eq!(iova(&mut domain, 2), Ok(u64::MAX - 0x1fff));
    assert_eq!(errno(map(&mut domain, u64::MAX - 0xfff, PAGE)), Errno::Exist);
}

#[test]
fn a_window_holds_pages_but_users_may_have_what_is_free_of_it() {
    let window = of(0x0800_0000, 3 * PAGE);
    let mut domain = with_device(Config { policy: MsiPolicy::SeedWindow { window }, ..Config::seed(low()) });
    map(&mut domain, 0x0800_1000, PAGE).unwrap();
    assert_eq!(iova(&mut domain, 1), Ok(0x0800_2000));
    assert_eq!(iova(&mut domain, 2), Ok(0x0800_0000));
    assert_eq!(errno(iova(&mut domain, 3)), Errno::NoMem);
}

#[test]
fn the_kernels_take_their_window_from_the_bottom_and_type1_forgets_its_end() {
    let window = of(0x0800_0000, 2 * PAGE);
    let type1 = |bug| Config {
        policy: MsiPolicy::FixedType1 { window, kernel_bug_unbounded: bug },
        ..Config::type1(low(), Type1Kernel::V7_3)
    };
    let mut careful = with_device(type1(false));
    let mut kernel = with_device(type1(true));
    for domain in [&mut careful, &mut kernel] {
        assert_eq!(iova(domain, 1), Ok(0x0800_0000));
        assert_eq!(iova(domain, 2), Ok(0x0800_1000));
    }
    assert_eq!(iova(&mut careful, 3).unwrap_err().reason, Reason::WindowFull(window));
    assert_eq!(iova(&mut kernel, 3), Ok(0x0800_2000), "past the end, where users may map");
    assert_eq!(errno(map(&mut kernel, 0x0800_2000, PAGE)), Errno::Inval);
    map(&mut kernel, 0x0800_3000, PAGE).unwrap();
    assert_eq!(errno(iova(&mut kernel, 4)), Errno::NoMem, "and where they did");
}

#[test]
fn a_page_out_of_reach_fails_with_the_letter_and_is_handed_out_by_kernels() {
    let narrow = Device { dma_mask: 0x07ff_ffff, ..Device::new(2) };
    for (config, expected) in [
        (
            Config { personality: Personality::Seed, ..Config::type1(low(), Type1Kernel::V7_3) },
            Err(Errno::NoMem),
        ),
        (Config::type1(low(), Type1Kernel::V7_3), Ok(0x0800_0000)),
    ] {
        let mut domain = MixedDomain::new(config).unwrap();
        domain.attach(narrow.clone()).unwrap();
        assert_eq!(domain.msi_prepare(2, 0).map_err(|failure| failure.errno), expected);
    }
}

proptest! {
    #[test]
    fn i8_full_is_full_and_a_hole_is_taken_where_it_opens(
        slots in prop::collection::btree_set(1..32u64, 1..20), freed in any::<prop::sample::Index>(),
    ) {
        let mut domain = with_device(Config::seed(of(0, 32 * PAGE)));
        slots.iter().for_each(|page| map(&mut domain, page * PAGE, PAGE).unwrap());
        let holes = 31 - slots.len() as u64;
        let mut taken: Vec<u64> = (0..holes).map(|n| iova(&mut domain, n).unwrap() / PAGE).collect();
        prop_assert!(taken.is_sorted_by(|a, b| a > b), "from the top down: {:?}", taken);
        prop_assert_eq!(errno(iova(&mut domain, 100)), Errno::NoMem);
        let page = *freed.get(&slots.iter().copied().collect::<Vec<_>>());
        prop_assert_eq!(unmap(&mut domain, page * PAGE, PAGE), Ok(PAGE));
        prop_assert_eq!(iova(&mut domain, 100), Ok(page * PAGE));
        prop_assert_eq!(errno(iova(&mut domain, 101)), Errno::NoMem);
        taken.push(page);
        prop_assert!(taken.iter().all(|page| domain.state().pages.get(page * PAGE).is_some()));
    }

    #[test]
    fn i11_the_order_of_maps_does_not_matter(
        slots in prop::collection::btree_set(0..64u64, 1..40), seed in any::<u64>(),
    ) {
        let base = 0xffff_ffff_ffff_0000 - 48 * PAGE;
        let mut order: Vec<u64> = slots.iter().copied().collect();
        let place = |order: &[u64]| {
            let mut domain = with_device(Config::seed(Span::ALL));
            order.iter().for_each(|page| map(&mut domain, base + page * PAGE, PAGE).unwrap());
            (iova(&mut domain, 1), iova(&mut domain, 2))
        };
        let sorted = place(&order);
        order.sort_by_key(|page| page.wrapping_mul(seed | 1).rotate_left(17));
        prop_assert_eq!(place(&order), sorted);
    }

    #[test]
    fn the_highest_free_page_is_what_a_walk_from_the_top_finds(
        slots in prop::collection::btree_set(0..40u64, 0..40), mask in 0..45u64, large in any::<bool>(),
    ) {
        let size = if large { 4 } else { 1 };
        let config = Config {
            msi_page: size * PAGE,
            resv: vec![(of(9 * PAGE, PAGE), ResvKind::DirectRelaxable), (of(20 * PAGE + 5, 3), ResvKind::SwMsi)],
            ..Config::seed(of(0, 40 * PAGE))
        };
        let mut domain = MixedDomain::new(config).unwrap();
        let device = Device { dma_mask: mask * PAGE + 0xfff, ..bringing(1, of(30 * PAGE, 1), ResvKind::Msi) };
        domain.attach(device).unwrap();
        for page in &slots {
            let _ = map(&mut domain, page * PAGE, PAGE);
        }
        let mapped: Vec<u64> = domain.state().slots.iter().map(|slot| slot.span.start() / PAGE).collect();
        let free = |page: &u64| page + size <= 40
            && (*page..page + size).all(|page| page <= mask && page != 9 && page != 30 && !mapped.contains(&page));
        let expected = (1..40).rev().filter(|page| page % size == 0).find(free);
        prop_assert_eq!(domain.msi_prepare(1, 0).ok(), expected.map(|page| page * PAGE));
    }
}
