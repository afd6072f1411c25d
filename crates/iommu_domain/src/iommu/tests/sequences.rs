//! Random requests with random host failures: after each one the law holds.

use base::{CallId, FaultPlan};
use proptest::prelude::*;

use super::*;
use crate::testing::fewer_than;
use crate::{Mapping, Perm};

#[derive(Clone, Debug)]
enum Op {
    Attach(u32, u32, bool),
    Detach(u32, u32),
    Map(u32, Span, u64, Perm),
    Unmap(u32, Span),
    Bypass(bool),
    Reset,
    Bar(Option<usize>),
}

fn places() -> impl Strategy<Value = Span> {
    let page =
        prop_oneof![4 => 0..8u64, 1 => 0xfedfeu64..0xfee02, 1 => (u64::MAX >> 12) - 3..=(u64::MAX >> 12)];
    (page, 0..4u64, any::<bool>()).prop_map(|(page, more, odd)| {
        let last = (page + more).min(u64::MAX >> 12);
        span(page << 12, ((last << 12) | 0xfff) - u64::from(odd && more == 3))
    })
}

fn ops() -> impl Strategy<Value = Op> {
    let endpoint = prop_oneof![Just(8u32), Just(9), Just(10), Just(16), Just(24), Just(5)];
    let domain = 1..4u32;
    let perm = any::<(bool, bool)>().prop_map(|(read, write)| Perm { read, write });
    let bar = (0..2usize, 0..5u64).prop_map(|(place, page)| (PLACES[place] >> 12) + page);
    let target = prop_oneof![3 => 0..70u64, 1 => bar];
    prop_oneof![
        4 => (endpoint.clone(), domain.clone(), proptest::bool::weighted(0.2)).prop_map(|(e, d, b)| Op::Attach(e, d, b)),
        1 => (endpoint, domain.clone()).prop_map(|(e, d)| Op::Detach(e, d)),
        8 => (domain.clone(), places(), target, perm).prop_map(|(d, s, p, perm)| Op::Map(d, s, p << 12, perm)),
        4 => (domain.clone(), places()).prop_map(|(d, s)| Op::Unmap(d, s)),
        1 => domain.prop_map(|d| Op::Unmap(d, Span::ALL)),
        1 => any::<bool>().prop_map(Op::Bypass),
        1 => Just(Op::Reset),
        2 => proptest::option::of(0..2usize).prop_map(Op::Bar),
    ]
}

fn apply(bench: &mut Bench, op: &Op) -> Result<(), Refusal> {
    match *op {
        Op::Attach(endpoint, domain, bypass) => bench.iommu.attach(endpoint, domain, bypass),
        Op::Detach(endpoint, domain) => bench.iommu.detach(endpoint, domain),
        Op::Map(domain, iova, phys, perm) => bench.iommu.map(domain, Mapping { iova, phys, perm }),
        Op::Unmap(domain, iova) => bench.iommu.unmap(domain, iova),
        Op::Bypass(on) => {
            bench.iommu.set_bypass(on);
            Ok(())
        }
        Op::Reset => {
            bench.iommu.reset();
            Ok(())
        }
        Op::Bar(place) => {
            bench.put_bar(place.map(|place| PLACES[place]));
            Ok(())
        }
    }
}

proptest! {
    #[test]
    fn every_leg_equals_its_table_after_every_request(ops in proptest::collection::vec(ops(), fewer_than(80))) {
        let mut bench = with(config(), 6);
        for op in &ops {
            let before: Vec<_> = (0..3).map(|leg| bench.held(leg)).collect();
            let outcome = apply(&mut bench, op);
            bench.assert_equal();
            if !matches!(outcome, Ok(()) | Err(Refusal::Host(_))) {
                let after: Vec<_> = (0..3).map(|leg| bench.held(leg)).collect();
                prop_assert_eq!(before, after, "refused, so nothing changed: {:?}", op);
            }
        }
        bench.iommu.reset();
        bench.iommu.set_bypass(false);
        prop_assert!((0..3).all(|leg| bench.held(leg).is_empty()));
    }

    #[test]
    fn and_when_the_host_fails_at_any_call(
        ops in proptest::collection::vec((ops(), 0..4usize, 0..3usize, 1..3usize), fewer_than(60)),
    ) {
        let mut bench = with(config(), 6);
        for (op, call, skip, times) in &ops {
            let call = [CallId::Type1Map, CallId::Type1Unmap, CallId::DeviceReset, CallId::Type1Map][*call];
            let plan = FaultPlan::arm(call, *skip, *times, 5);
            let outcome = apply(&mut bench, op);
            drop(plan);
            bench.assert_equal();
            let quarantined = bench.iommu.report().legs.iter().any(|leg| leg.quarantined);
            prop_assert!(outcome.is_err() || !quarantined || bench.hosts.iter().any(|host| host.resets() > 0));
        }
    }
}
