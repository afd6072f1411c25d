//! The fake container that all other tests of this crate stand on is the model behind other calls: the same requests, the
//! same answers, the same memory. And the personalities of type1 against one another.

use base::{GuestRam, HostMemory};
use data_model::Span;
use proptest::prelude::*;

use super::super::model::{HostTrace, TraceOp, Traced, Type1Model};
use super::super::*;
use super::kit::*;
use crate::Perm;
use crate::testing::{FakeHost, FakeLimits, fewer_than};

const MEMORY: u64 = 16 * PAGE;

fn model(entries: u32, to_the_end: bool) -> Type1Model {
    let last = if to_the_end { u64::MAX } else { (1 << 48) - 1 };
    Type1Model {
        granule: PAGE,
        allowed: vec![span(0, 0x07ff_ffff), span(0x0810_0000, 0xfedf_ffff), span(0xfef0_0000, last)],
        entries,
        memory: MEMORY,
        lock_limit: None,
    }
}

fn fake(model: &Type1Model) -> (HostTrace<FakeHost>, FakeHost) {
    let ram = GuestRam::new(&[of(0, MEMORY)]).unwrap();
    let (_, memory) = HostMemory::of_ram(&ram).pop().unwrap();
    let limits = FakeLimits { granule: PAGE, allowed: model.allowed.clone(), entries: model.entries };
    let host = FakeHost::new(limits).unwrap();
    (HostTrace::new(host.clone(), memory), host)
}

fn places() -> impl Strategy<Value = (u64, u64)> {
    let base = prop_oneof![
        4 => Just(0u64),
        2 => Just(0x07ff_c000),
        2 => Just(0x080f_c000),
        1 => Just(0xfedf_e000),
        1 => Just((1 << 48) - 4 * PAGE),
        2 => Just(u64::MAX - 0x7fff),
    ];
    let size = prop_oneof![
        8 => (1..6u64).prop_map(|pages| pages * PAGE),
        1 => Just(0),
        1 => Just(PAGE + 0x200),
        1 => Just(u64::MAX),
        1 => Just(0x4_0000_0000),
    ];
    (base, 0..8u64, prop::bool::weighted(0.05), size)
        .prop_map(|(base, page, odd, size)| (base + page * PAGE + u64::from(odd) * 0x800, size))
}

fn ops() -> impl Strategy<Value = TraceOp> {
    let perm = any::<(bool, bool)>().prop_map(|(read, write)| Perm { read, write });
    let offset = prop_oneof![6 => (0..14u64).prop_map(|page| page * PAGE), 1 => Just(0x10)];
    prop_oneof![
        6 => (places(), offset, perm)
            .prop_map(|((iova, size), va_offset, perm)| TraceOp::Map { iova, size, va_offset, perm }),
        4 => places().prop_map(|(iova, size)| TraceOp::Unmap { iova, size }),
        1 => Just(TraceOp::UnmapAll),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 1 } else { 512 }, ..ProptestConfig::default() })]

    #[test]
    fn the_fake_container_passes_on_what_is_asked_and_answered(
        ops in prop::collection::vec(ops(), fewer_than(80)), entries in 2..8u32, to_the_end in any::<bool>(),
    ) {
        let model = model(entries, to_the_end);
        let mut domain = model.domain(Type1Kernel::V6_12).unwrap();
        let (mut host, fake) = fake(&model);
        for op in &ops {
            if !host.can_ask(op) {
                continue;
            }
            prop_assert_eq!(host.apply(op), domain.apply(op), "{:?}", op);
            let held: Vec<(Span, Perm)> = fake.mappings().iter().map(|(span, _, perm)| (*span, *perm)).collect();
            let slots: Vec<(Span, Perm)> = domain.state().slots.iter().map(|slot| (slot.span, slot.perm)).collect();
            prop_assert_eq!(held, slots, "after {:?}", op);
        }
    }

    #[test]
    fn kernels_differ_only_where_ranges_wrap(ops in prop::collection::vec(ops(), fewer_than(60))) {
        let model = model(6, false);
        let mut new = model.domain(Type1Kernel::V7_3).unwrap();
        let mut old = model.domain(Type1Kernel::V6_12).unwrap();
        for op in &ops {
            prop_assert!(new.can_ask(op));
            match (new.apply(op), old.apply(op)) {
                (Err(Errno::Overflow), answer) => prop_assert_eq!(answer, Err(Errno::Inval)),
                (one, other) => prop_assert_eq!(one, other),
            }
        }
    }
}

/// A page at the end of the address space and one before it: what each kernel says of an UNMAP, and what stays.
#[test]
fn kernels_before_6_18_leave_what_ends_with_the_address_space() {
    let (before, end) = (of(u64::MAX - 0x1fff, PAGE), of(u64::MAX - 0xfff, PAGE));
    let both = of(before.start(), 2 * PAGE);
    let unmap = |span: Span| TraceOp::Unmap { iova: span.start(), size: span.len().unwrap() };
    let cases = [
        (unmap(end), (0, vec![before, end]), (PAGE, vec![before])),
        (unmap(both), (0, vec![before, end]), (2 * PAGE, vec![])),
        (unmap(before), (PAGE, vec![end]), (PAGE, vec![end])),
        (TraceOp::UnmapAll, (2 * PAGE, vec![end]), (2 * PAGE, vec![])),
    ];
    for (op, old, new) in cases {
        for (kernel, expected) in
            [(Type1Kernel::V6_1, &old), (Type1Kernel::V6_12, &old), (Type1Kernel::V7_3, &new)]
        {
            let mut domain = model(6, true).domain(kernel).unwrap();
            for span in [before, end] {
                let target = Target::Ram { backing: 0, offset: 0 };
                domain.map(MapRequest::new(span.start(), PAGE, target, Perm::READ)).unwrap();
            }
            let bytes = domain.apply(&op).unwrap();
            let left: Vec<Span> = domain.state().slots.iter().map(|slot| slot.span).collect();
            assert_eq!((bytes, left), *expected, "{op:?}, {kernel:?}");
        }
    }
}

#[test]
fn the_model_of_a_container_allows_what_the_container_does() {
    for to_the_end in [false, true] {
        let model = model(5, to_the_end);
        assert_eq!(model.domain(Type1Kernel::V7_3).unwrap().ranges(), model.allowed);
    }
}
