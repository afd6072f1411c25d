//! The model by hand: what is reached after a few requests.

use data_model::Span;
use iommu_domain::Perm;

use super::{Model, Op};

const RAM: u64 = 0x4000_0000;
const LOW_PAGES: Span = Span::new(0, 0x1fff).unwrap();

fn span(start: u64, len: u64) -> Span {
    Span::from_len(start, len).unwrap()
}

fn model() -> Model {
    Model::new(span(RAM, 0x10_0000), span(0, 1 << 39), vec![span(0xfee0_0000, 0x10_0000)])
}

fn map(iova: u64, perm: Perm) -> Op {
    Op::Map { iova: span(iova, 0x2000), phys: RAM + 0x4000, perm }
}

#[test]
fn requests_are_refused_when_they_must_be() {
    let cases: [(&[Op], Op, bool); 9] = [
        (&[], map(0, Perm::READ), false),
        (&[Op::Attach(1, true)], map(0, Perm::READ), false),
        (&[Op::Attach(1, false)], map(0, Perm::READ), true),
        (&[Op::Attach(1, false)], map(0xfeef_f000, Perm::READ), false),
        (&[Op::Attach(1, false)], map((1 << 39) - 0x1000, Perm::READ), false),
        (&[Op::Attach(1, false), map(0, Perm::READ)], map(0x1000, Perm::READ), false),
        (&[Op::Attach(1, false), map(0, Perm::READ)], Op::Unmap(span(0x1000, 0x4000)), false),
        (&[Op::Attach(1, false)], Op::Attach(1, true), false),
        (&[Op::Bypass(true)], Op::Detach, false),
    ];
    for (before, op, expected) in cases {
        let mut model = model();
        assert!(before.iter().all(|op| model.apply(*op)), "{before:?}");
        assert_eq!(model.apply(op), expected, "{before:?} {op:?}");
    }
}

/// Requests, an address, and where it leads.
type Case = (&'static [Op], u64, Option<(u64, Perm)>);

#[test]
fn what_is_reached_follows_the_endpoint() {
    const RW: Perm = Perm::READ_WRITE;
    const FIRST: Op = Op::Attach(1, false);
    const LOW: Op = Op::Map { iova: LOW_PAGES, phys: RAM + 0x4000, perm: RW };
    const READABLE: Op = Op::Map { iova: LOW_PAGES, phys: RAM + 0x4000, perm: Perm::READ };
    let cases: [Case; 8] = [
        (&[], RAM, None),
        (&[Op::Bypass(true)], RAM, Some((RAM, RW))),
        (&[Op::Bypass(true)], 0x5000, None),
        (&[Op::Attach(1, true)], RAM + 8, Some((RAM + 8, RW))),
        (&[FIRST, READABLE], 0x1008, Some((RAM + 0x5008, Perm::READ))),
        (&[FIRST, READABLE, Op::Unmap(LOW_PAGES)], 0x1008, None),
        (&[FIRST, LOW, Op::Attach(2, false), FIRST], 0, None),
        (&[FIRST, LOW, Op::Reset], 0, None),
    ];
    for (ops, iova, expected) in cases {
        let mut model = model();
        assert!(ops.iter().all(|op| model.apply(*op)), "{ops:?}");
        assert_eq!(model.reach(iova), expected, "{ops:?} {iova:#x}");
    }
}
