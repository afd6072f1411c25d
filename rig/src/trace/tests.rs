//! What the requests reach.

use data_model::Span;
use iommu_domain::mixed::model::{TraceOp, Type1Model};

use super::Trace;

fn model() -> Type1Model {
    let allowed = [(0, 0xfedf_ffff), (0xfef0_0000, (1 << 39) - 1)];
    Type1Model {
        granule: 0x1000,
        allowed: allowed.into_iter().filter_map(|(start, last)| Span::new(start, last)).collect(),
        entries: 100,
        memory: 64 << 12,
        lock_limit: None,
    }
}

#[test]
fn the_same_seed_makes_the_same_requests_and_another_seed_others() {
    let ops = |seed| Trace::new(&model(), seed, 1000).take(1000).collect::<Vec<_>>();
    assert_eq!(ops(7), ops(7));
    assert_ne!(ops(7), ops(8));
}

#[test]
fn requests_lie_around_every_edge() {
    let starts: Vec<u64> = Trace::new(&model(), 3, 20_000)
        .take(20_000)
        .filter_map(|op| match op {
            TraceOp::Map { iova, .. } | TraceOp::Unmap { iova, .. } => Some(iova),
            TraceOp::UnmapAll => None,
        })
        .collect();
    for edge in [0u64, 1 << 32, 0xfee0_0000, 0xfef0_0000, 1 << 39] {
        assert!(starts.contains(&edge), "at {edge:#x}");
        assert!(starts.contains(&edge.wrapping_sub(0x1000)), "below {edge:#x}");
    }
    assert!(starts.iter().any(|iova| !iova.is_multiple_of(0x1000)));
}
