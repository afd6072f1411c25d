//! What the requests reach.

use data_model::Span;
use iommu_domain::mixed::MapRequest;
use iommu_domain::mixed::model::{TraceOp, Type1Model};
use vfio::NOWHERE;

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
            _ => None,
        })
        .collect();
    for edge in [0u64, 1 << 32, 0xfee0_0000, 0xfef0_0000, 1 << 39] {
        assert!(starts.contains(&edge), "at {edge:#x}");
        assert!(starts.contains(&edge.wrapping_sub(0x1000)), "below {edge:#x}");
    }
    assert!(starts.iter().any(|iova| !iova.is_multiple_of(0x1000)));
}

#[test]
fn what_the_product_cannot_say_is_asked_too() {
    let maps: Vec<MapRequest> = Trace::new(&model(), 5, 20_000)
        .take(20_000)
        .filter_map(|op| match op {
            TraceOp::MapAsTold(request) => Some(request),
            _ => None,
        })
        .collect();
    let wraps = |start: u64, len: u64| len != 0 && Span::from_len(start, len).is_none();
    type Kind = fn(&MapRequest) -> bool;
    let kinds: [(&str, Kind); 4] = [
        ("nothing", |map| map.len == 0),
        ("a flag", |map| map.flags != 0),
        ("no memory", |map| map.flags == 0 && NOWHERE.contains(&map.target.start())),
        ("only just no memory", |map| map.len == 0x1000 && NOWHERE.contains(&map.target.start())),
    ];
    for (name, is) in kinds {
        assert!(maps.iter().any(is), "{name}");
    }
    assert!(maps.iter().any(|map| wraps(map.iova, map.len)));
    assert!(maps.iter().any(|map| wraps(map.target.start(), map.len)));
}
