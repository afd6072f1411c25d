use proptest::prelude::*;

use super::*;

const PAGE: u64 = 4096;

fn slot(page: u64, pages: u64, perm: Perm) -> Slot {
    let iova = Span::from_len(page * PAGE, pages * PAGE).unwrap();
    Slot { mapping: Mapping { iova, phys: 0, perm }, software: perm == Perm::NONE, lost: false }
}

fn told(runs: &[Run]) -> Vec<(u64, u64, RunKind, usize)> {
    let pages = |run: &Run| (run.span.start() / PAGE, run.span.last() / PAGE, run.kind, run.mappings);
    runs.iter().map(pages).collect()
}

#[test]
fn neighbours_of_one_kind_are_one_run() {
    let mut doorbell = slot(9, 1, Perm::WRITE);
    doorbell.software = true;
    let slots = [
        slot(0, 1, Perm::READ),
        slot(1, 2, Perm::READ),
        slot(3, 1, Perm::WRITE),
        slot(5, 1, Perm::WRITE),
        slot(7, 1, Perm::NONE),
        slot(8, 1, Perm::WRITE),
        doorbell,
    ];
    let expected = [
        (0, 2, RunKind::Memory(Perm::READ), 2),
        (3, 3, RunKind::Memory(Perm::WRITE), 1),
        (5, 5, RunKind::Memory(Perm::WRITE), 1),
        (7, 7, RunKind::Memory(Perm::NONE), 1),
        (8, 8, RunKind::Memory(Perm::WRITE), 1),
        (9, 9, RunKind::Doorbell, 1),
    ];
    assert_eq!(told(&runs(slots.into_iter(), 100)), expected);
}

#[test]
fn too_many_runs_are_joined_over_the_smallest_holes() {
    let slots = [
        slot(0, 1, Perm::READ),
        slot(2, 1, Perm::READ),
        slot(100, 1, Perm::READ),
        slot(101, 1, Perm::WRITE),
        slot(1000, 1, Perm::READ),
    ];
    let joined = runs(slots.into_iter(), 3);
    let expected = [
        (0, 2, RunKind::Memory(Perm::READ), 2),
        (100, 101, RunKind::Mixed, 2),
        (1000, 1000, RunKind::Memory(Perm::READ), 1),
    ];
    assert_eq!(told(&joined), expected);
    assert_eq!(joined[0].bytes, u128::from(2 * PAGE), "the hole is not counted");
}

#[test]
fn ends_of_the_address_space_are_no_trouble() {
    let all = Slot {
        mapping: Mapping { iova: Span::ALL, phys: 0, perm: Perm::READ_WRITE },
        software: false,
        lost: false,
    };
    assert_eq!(runs(std::iter::once(all), 0)[0].bytes, 1 << 64);
    assert!(runs(std::iter::empty(), 5).is_empty());
}

proptest! {
    #[test]
    fn runs_cover_every_mapping_once_however_few_they_are(
        lengths in proptest::collection::vec((1u64..4, 0u64..6, 0u8..4), 0..300),
        most in 1usize..40,
    ) {
        let mut page = 0;
        let mut slots = Vec::new();
        for (pages, hole, perm) in lengths {
            let perm = Perm { read: perm & 1 != 0, write: perm & 2 != 0 };
            slots.push(slot(page + hole, pages, perm));
            page += hole + pages;
        }
        let joined = runs(slots.iter().copied(), most);
        prop_assert!(joined.len() <= most);
        prop_assert!(joined.windows(2).all(|pair| pair[0].span.last() < pair[1].span.start()));
        let mut mappings = 0;
        for run in &joined {
            let inside: Vec<_> = slots.iter().filter(|slot| run.span.covers(&slot.mapping.iova)).collect();
            prop_assert_eq!(inside.len(), run.mappings);
            prop_assert_eq!(inside.iter().map(|slot| slot.mapping.iova.len_wide()).sum::<u128>(), run.bytes);
            mappings += inside.len();
        }
        prop_assert_eq!(mappings, slots.len());
    }
}
