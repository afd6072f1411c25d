//! I1 to I11, after each of random operations on random configurations.

use std::hash::{DefaultHasher, Hash, Hasher};

use data_model::Span;
use proptest::prelude::*;

use super::super::*;
use super::kit::*;
use super::ops::*;
use super::oracle::Oracle;

fn pages(domain: &MixedDomain) -> Vec<Span> {
    let size = domain.config().msi_page;
    domain.state().pages.iter().map(|(iova, _)| of(iova, size)).collect()
}

fn regions(domain: &MixedDomain) -> Vec<(Span, ResvKind)> {
    let of_devices = domain.state().attached.values().flat_map(|device| device.resv.clone());
    domain.config().resv.iter().copied().chain(of_devices).collect()
}

/// I1 and I2: what must hold of every state.
pub(super) fn assert_sound(domain: &MixedDomain) {
    let (config, state) = (domain.config(), domain.state());
    let slots: Vec<Span> = state.slots.iter().map(|slot| slot.span).collect();
    let pages = pages(domain);
    let all: Vec<Span> = slots.iter().chain(&pages).copied().collect();
    for (at, one) in all.iter().enumerate() {
        assert!(all[at + 1..].iter().all(|other| !one.overlaps(other)), "{one} overlaps another of {all:?}");
        let apertures = state.attached.values().map(|device| device.aperture);
        assert!(apertures.chain([config.aperture]).all(|aperture| aperture.covers(one)), "{one} outside");
    }
    for (region, kind) in regions(domain) {
        let user = kind != ResvKind::DirectRelaxable;
        assert!(!user || slots.iter().all(|slot| !slot.overlaps(&region)), "slot in {region} {kind:?}");
        let page = kind != ResvKind::SwMsi;
        assert!(!page || pages.iter().all(|page| !page.overlaps(&region)), "page in {region} {kind:?}");
    }
    for kept in state.policy.kept() {
        assert!(slots.iter().all(|slot| !slot.overlaps(kept)), "slot in the window {kept}");
    }
    assert!(slots.iter().all(|slot| slot.is_aligned(config.granule)));
    assert!(pages.iter().all(|page| page.is_aligned(config.msi_page) && page.start() != 0));
    for (iova, page) in state.pages.iter() {
        let users = || page.users.iter().map(|id| &state.attached[id]);
        let last = iova | (config.msi_page - 1);
        let kernel = config.personality != Personality::Seed;
        assert!(kernel || users().all(|device| last <= device.dma_mask), "page at {iova:#x} out of reach");
        assert!(!page.users.is_empty() || page.sticky);
        assert!(page.phys.is_multiple_of(config.msi_page));
        assert!(state.pages.of(page.phys).any(|there| there == iova), "not in the index");
    }
    let indexed: usize = state
        .pages
        .iter()
        .map(|(_, page)| page.phys)
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .map(|phys| state.pages.of(phys).count())
        .sum();
    assert_eq!(indexed, state.pages.len(), "the index has more than there is");
}

fn hash(domain: &MixedDomain) -> u64 {
    let mut hasher = DefaultHasher::new();
    domain.state().hash(&mut hasher);
    domain.generation().hash(&mut hasher);
    hasher.finish()
}

/// The one refusal that changes something, and only where the kernel's does.
fn half_done(domain: &MixedDomain, outcome: &Outcome) -> bool {
    let iommufd = matches!(domain.config().personality, Personality::Iommufd(_) | Personality::IommufdCompat);
    iommufd && matches!(outcome, Err(Failure { reason: Reason::Bisects { removed: 1.., .. }, .. }))
}

proptest! {
    #[test]
    fn i1_i2_i4_i6_i9_i10_hold_after_every_operation(config in configs(), trace in traces(60)) {
        let mut domain = MixedDomain::new(config.clone()).unwrap();
        let mut oracle = Oracle::new(&config);
        for op in &trace {
            let before = (hash(&domain), domain.generation(), domain.state().clone());
            let outcome = apply(&mut domain, op);
            oracle.follow(op, &outcome);
            assert_sound(&domain);
            // I4: a refusal changes nothing; I13: every change shows in the generation.
            if outcome.is_err() && !half_done(&domain, &outcome) {
                prop_assert_eq!(before.0, hash(&domain), "{:?} failed and changed something", op);
            }
            prop_assert_eq!(before.1 == domain.generation(), before.2 == *domain.state(), "{:?}", op);
            prop_assert!(before.1 <= domain.generation());
            // I6: each keeps to its own.
            match op {
                Op::Map(_) | Op::Unmap(_) | Op::UnmapAll => prop_assert_eq!(&before.2.pages, &domain.state().pages),
                Op::Prepare(..) | Op::Release(..) => prop_assert_eq!(&before.2.slots, &domain.state().slots),
                _ => {}
            }
            // I9: users are counted right.
            prop_assert_eq!(domain.state().pages.len(), oracle.pages());
            prop_assert_eq!(domain.state().slots.len(), oracle.mappings());
            for (iova, page) in domain.state().pages.iter() {
                prop_assert_eq!(Some(page.users.len()), oracle.users(iova));
            }
            // I10: accesses end where a list says.
            for iova in oracle.probes() {
                for access in [Access::Read, Access::Write] {
                    for id in [1, 4] {
                        prop_assert_eq!(domain.translate(id, iova, access).ok(), oracle.translate(id, iova, access));
                    }
                }
                let told = domain.ranges().iter().any(|range| range.contains(iova));
                prop_assert_eq!(told, oracle.is_free_for_users(&domain.state().policy, iova), "{:#x}", iova);
            }
        }
    }

    #[test]
    fn i3_nothing_leaks(config in configs(), trace in traces(60)) {
        let config = Config { reclaim: true, ..config };
        let mut domain = MixedDomain::new(config.clone()).unwrap();
        for op in &trace {
            let _ = apply(&mut domain, op);
        }
        domain.unmap_all();
        for id in 1..5 {
            let _ = domain.detach(id);
        }
        let fresh = MixedDomain::new(Config { policy: domain.state().policy.clone(), ..config }).unwrap();
        let state = State { standing: domain.state().standing, ..fresh.state().clone() };
        prop_assert_eq!(domain.state(), &state);
        prop_assert_eq!(domain.ranges(), fresh.ranges());
    }

    #[test]
    fn i4_an_unmap_that_cuts_a_slot_removes_nothing_or_with_iommufd_what_lies_below(
        personality in 0..Personality::ALL.len(),
        places in prop::collection::vec((0..16u64, 1..4u64), 1..12),
        (first, pages) in (0..16u64, 2..16u64),
    ) {
        let personality = Personality::ALL[personality];
        let mut domain = MixedDomain::new(Config { personality, ..Config::seed(low()) }).unwrap();
        for (page, pages) in places {
            let _ = map(&mut domain, page * PAGE, pages * PAGE);
        }
        let before: Vec<Span> = domain.state().slots.iter().map(|slot| slot.span).collect();
        let range = of(first * PAGE, pages * PAGE);
        let cut = before.iter().find(|slot| slot.overlaps(&range) && !range.covers(slot));
        let partial = matches!(personality, Personality::Iommufd(_) | Personality::IommufdCompat);
        let gone = |slot: &Span| match cut {
            Some(cut) => partial && range.covers(slot) && slot < cut,
            None => range.covers(slot),
        };
        let outcome = unmap(&mut domain, range.start(), pages * PAGE);
        prop_assert!(outcome.is_err() || cut.is_none(), "{:?}", outcome);
        let after: Vec<Span> = domain.state().slots.iter().map(|slot| slot.span).collect();
        let left: Vec<Span> = before.iter().copied().filter(|slot| !gone(slot)).collect();
        prop_assert_eq!(after, left, "{:?}", outcome);
    }

    #[test]
    fn i5_a_map_is_undone_by_its_unmap(config in configs(), trace in traces(40), last in ops()) {
        let mut domain = MixedDomain::new(config).unwrap();
        trace.iter().for_each(|op| drop(apply(&mut domain, op)));
        let Op::Map(request) = last else { return Ok(()) };
        let before = domain.state().clone();
        if domain.map(request).is_ok() {
            prop_assert_ne!(&before, domain.state());
            prop_assert_eq!(unmap(&mut domain, request.iova, request.len), Ok(request.len));
        }
        prop_assert_eq!(&before, domain.state());
    }

    #[test]
    fn i7_a_prepared_doorbell_stays_where_it_is(config in configs(), trace in traces(60)) {
        let mut domain = MixedDomain::new(config).unwrap();
        for op in &trace {
            let _ = apply(&mut domain, op);
            let Op::Prepare(id, phys) = *op else { continue };
            let attached = |domain: &MixedDomain, id| domain.state().attached.contains_key(&id);
            let Ok(first) = domain.msi_prepare(id, phys) else { continue };
            if !attached(&domain, id) {
                continue;
            }
            let generation = domain.generation();
            prop_assert_eq!(domain.msi_prepare(id, phys), Ok(first));
            prop_assert_eq!(domain.generation(), generation, "asked twice, changed twice");
            let composed = domain.compose(id, message(phys));
            prop_assert_eq!(composed, Composed { message: message(first), event: None });
            // The other member of the group reaches as far, so it shares the page, unless it has one already.
            let base = phys & !(domain.config().msi_page - 1);
            if id <= 2 && attached(&domain, 3 - id) && domain.state().pages.prepared(3 - id, base).is_none() {
                prop_assert_eq!(domain.msi_prepare(3 - id, phys), Ok(first));
            }
        }
    }

    #[test]
    fn i11_the_same_trace_gives_the_same_answers(config in configs(), trace in traces(60)) {
        let mut one = MixedDomain::new(config.clone()).unwrap();
        let mut two = MixedDomain::new(config).unwrap();
        for op in &trace {
            prop_assert_eq!(apply(&mut one, op), apply(&mut two, op));
        }
        prop_assert_eq!(hash(&one), hash(&two));
    }
}
