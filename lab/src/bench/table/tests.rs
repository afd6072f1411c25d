use std::collections::BTreeMap;

use super::{MIXVM, QEMU, Row, Target, rows};
use crate::bench::readings::{Counted, Exits, Life, Maps, Pairs, Percentiles, Readings, Reads};

fn maps(map: u64, rate: f64) -> Maps {
    let runs = vec![Percentiles { p50: map, p99: 2 * map }; 3];
    let pairs = [1, 40].map(|live| Pairs { live, per_second: vec![rate, rate, rate / 10.0] });
    Maps {
        clock_ns: 1,
        map: runs.clone(),
        unmap: runs,
        pairs: pairs.into(),
        large_per_second: vec![rate],
        huge_per_second: vec![rate],
    }
}

fn life(map: u64, rate: f64, up: f64) -> Life {
    let idle = Counted { exits: 9, ticks: 3, worker_ticks: 0, switches: 0 };
    Life {
        up: Some(up),
        reads: Some(Reads { per_second: vec![rate], latency: Vec::new() }),
        maps: Some(maps(map, rate)),
        counted: BTreeMap::from([
            ("idle".into(), idle),
            ("few".into(), Counted { exits: 500, ..idle }),
            ("pairs".into(), Counted { exits: 4500, ..idle }),
        ]),
        exits: Some(Exits { access: vec![Percentiles { p50: map / 4, p99: map }] }),
        own_kib: Some(30 << 10),
        ..Life::default()
    }
}

fn readings() -> Readings {
    let lives = [
        (QEMU, life(180_000, 100.0, 5.0)),
        (MIXVM, life(20_000, 1000.0, 3.0)),
        ("mixvm-no-viommu", life(0, 1200.0, 3.0)),
        ("mixvm-no-viommu-again", life(0, 1100.0, 3.0)),
        ("mixvm-start-1", Life { up: Some(9.0), ..Life::default() }),
        ("mixvm-start-2", Life { up: Some(2.0), ..Life::default() }),
        ("mixvm-poll-off", life(60_000, 300.0, 100.0)),
    ];
    let lives = lives.map(|(name, life)| (name.to_owned(), life)).into();
    Readings { floor: vec![maps(9000, 3000.0)], busy_floor: Some(maps(14_000, 2000.0)), retries: 0, lives }
}

fn row<'a>(rows: &'a [Row], work: &str) -> &'a Row {
    rows.iter().find(|row| row.work.contains(work)).unwrap_or_else(|| panic!("no row {work}"))
}

#[test]
fn each_row_takes_its_own_values() {
    let rows = rows(&readings());
    let map = row(&rows, "4 KiB map, p50");
    assert_eq!(
        (map.floor, map.busy_floor, map.qemu, map.mixvm, map.unpolled),
        (Some(9.0), Some(14.0), Some(180.0), Some(20.0), Some(60.0))
    );
    assert_eq!(row(&rows, "40 live").mixvm, Some(1000.0));
    assert_eq!(row(&rows, "÷").mixvm, Some(1.0));
    assert_eq!(row(&rows, "exits").mixvm, Some(2.0));
    assert_eq!(row(&rows, "answered in the exit").mixvm, Some(5.0));
    assert_eq!(row(&rows, "start").mixvm, Some(3.0), "the median of the lives that are alike");
    assert_eq!(row(&rows, "resident").mixvm, Some(30.0));
    let left = row(&rows, "part of the reads");
    assert_eq!((left.qemu, left.mixvm), (None, Some(1000.0 / 1100.0)), "the middle of both lives");
}

#[test]
fn a_target_is_met_or_not_or_cannot_be_told() {
    for (target, met) in [
        (Target::AtMostFloor(3.0), Some(true)),
        (Target::AtMostFloor(2.0), Some(false)),
        (Target::AtLeastFloor(2.2), Some(true)),
        (Target::AtLeastFloor(2.3), Some(false)),
        (Target::LessThanQemu, Some(true)),
        (Target::AtMost(19.0), Some(false)),
        (Target::AtLeast(20.0), Some(true)),
        (Target::None, None),
    ] {
        let row = Row {
            work: String::new(),
            unit: "",
            floor: Some(9.0),
            busy_floor: None,
            qemu: Some(180.0),
            mixvm: Some(20.0),
            unpolled: None,
            target,
        };
        assert_eq!(row.met(), met, "{target:?}");
        assert_eq!(Row { mixvm: None, ..row }.met(), None, "{target:?} of nothing");
    }
}
