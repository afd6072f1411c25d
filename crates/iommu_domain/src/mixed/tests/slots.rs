//! The packed container of slots against a list: nothing that a slot says gets lost, whatever lies beside it.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use data_model::Span;
use proptest::prelude::*;

use super::super::*;
use super::kit::*;
use crate::Perm;
use crate::testing::fewer_than;

/// Mostly plain memory of piece 0; the rest differs from it in each way that a slot can.
fn slots() -> impl Strategy<Value = Slot> {
    let target = prop_oneof![
        4 => (0..99u64).prop_map(|page| Target::Ram { backing: 0, offset: page * PAGE }),
        1 => (1..3u32, 0..99u64).prop_map(|(backing, page)| Target::Ram { backing, offset: page * PAGE }),
        1 => (0..99u64).prop_map(|page| Target::Mmio { phys: page * PAGE }),
        1 => (0..99u64).prop_map(|byte| Target::Ram { backing: 0, offset: byte }),
    ];
    let perm = any::<(bool, bool)>().prop_map(|(read, write)| Perm { read, write });
    let rare = prop::bool::weighted;
    (spans(), target, perm, (rare(0.1), rare(0.1), rare(0.1))).prop_map(
        |(span, target, perm, (marked, uncharged, more))| Slot {
            span,
            target,
            perm,
            tag: if marked { u64::MAX } else { 0 },
            writable: perm.write || more,
            charged: !uncharged,
        },
    )
}

fn spans() -> impl Strategy<Value = Span> {
    let first = prop_oneof![0..200u64, Just(u64::MAX / PAGE)];
    (first, 1..6u64).prop_map(|(page, pages)| {
        let last = (page + (pages - 1)).min(u64::MAX / PAGE);
        span(page * PAGE, last * PAGE + (PAGE - 1))
    })
}

/// The plain words of the container's duties: a list, searched from end to end.
#[derive(Default)]
struct List(Vec<Slot>);

impl List {
    fn insert(&mut self, slot: Slot) -> bool {
        let free = self.0.iter().all(|there| !there.span.overlaps(&slot.span));
        if free {
            self.0.push(slot);
            self.0.sort_by_key(|slot| slot.span.start());
        }
        free
    }

    fn remove_within(&mut self, span: Span) -> u64 {
        let gone = |slot: &Slot| span.covers(&slot.span);
        let bytes = self.0.iter().filter(|slot| gone(slot)).map(|slot| slot.span.len_wide()).sum::<u128>();
        self.0.retain(|slot| !gone(slot));
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    fn locked(&self) -> u128 {
        let counts = |slot: &&Slot| slot.charged && matches!(slot.target, Target::Ram { .. });
        self.0.iter().filter(counts).map(|slot| slot.span.len_wide()).sum()
    }
}

fn hash(slots: &Slots) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(slots)
}

proptest! {
    #[test]
    fn slots_are_what_a_list_of_them_would_be(
        ops in prop::collection::vec(prop_oneof![4 => slots().prop_map(Ok), 1 => spans().prop_map(Err), 1 => Just(Err(Span::ALL))], fewer_than(90)),
        probe in spans(),
    ) {
        let (mut packed, mut list) = (Slots::default(), List::default());
        for op in ops {
            match op {
                Ok(slot) => prop_assert_eq!(packed.insert(slot), list.insert(slot)),
                Err(span) => prop_assert_eq!(packed.remove_within(span), list.remove_within(span)),
            }
            prop_assert_eq!(packed.iter().collect::<Vec<_>>(), list.0.clone());
            prop_assert_eq!((packed.len(), packed.locked()), (list.0.len(), list.locked()));
            let touched: Vec<Slot> = list.0.iter().filter(|slot| slot.span.overlaps(&probe)).copied().collect();
            prop_assert_eq!(packed.overlapping(probe), touched.last().copied());
            prop_assert_eq!(packed.cut_by(probe), touched.iter().find(|slot| !probe.covers(&slot.span)).copied());
            prop_assert_eq!(packed.touching(probe).collect::<Vec<_>>(), touched);
            let holds = |slot: &&Slot| slot.span.contains(probe.start());
            prop_assert_eq!(packed.at(probe.start()), list.0.iter().find(holds).copied());
        }
    }

    /// How the slots came to be there leaves no trace, so that states can be compared.
    #[test]
    fn two_that_hold_the_same_are_equal(slots in prop::collection::vec(slots(), fewer_than(200)), copied in any::<bool>()) {
        let (mut one, mut other) = (Slots::default(), Slots::default());
        for slot in &slots {
            one.insert(*slot);
        }
        let there: Vec<Slot> = one.iter().collect();
        there.iter().rev().for_each(|slot| assert!(other.insert(*slot)));
        if copied {
            other = other.clone();
        }
        prop_assert_eq!((&one, hash(&one)), (&other, hash(&other)));
        let first = there[0];
        other.remove_within(first.span);
        prop_assert_ne!(&one, &other);
        assert!(other.insert(Slot { tag: first.tag ^ 1, ..first }));
        prop_assert_ne!(&one, &other);
    }
}

/// A mapping of an emulated device may cost 96 bytes, in two tables: a plain slot has nothing beside its entry.
#[test]
fn a_slot_of_plain_memory_is_an_entry_of_the_table_and_nothing_else() {
    const MANY: u64 = if cfg!(miri) { 100 } else { 1000 };
    const LEN: usize = MANY as usize;
    let mut slots = Slots::default();
    for n in 0..MANY {
        let target = Target::Ram { backing: 0, offset: n * PAGE };
        let (perm, plain) = if n % 10 == 0 { (Perm::READ, false) } else { (Perm::READ_WRITE, true) };
        let slot = Slot { span: of(2 * n * PAGE, PAGE), target, perm, tag: 0, writable: true, charged: true };
        assert!(slots.insert(slot));
        assert_eq!(slot.is_plain(), plain);
    }
    assert_eq!((slots.len(), slots.kept_beside()), (LEN, LEN / 10), "writable, but mapped to be read");
    slots.remove_within(of(0, MANY * PAGE));
    assert_eq!((slots.len(), slots.kept_beside()), (LEN / 2, LEN / 20));
    slots.remove_within(Span::ALL);
    assert_eq!((slots.len(), slots.kept_beside()), (0, 0));
}
