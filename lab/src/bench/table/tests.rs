use std::collections::BTreeMap;

use super::{MIXVM, QEMU, Row, Target, rows};
use crate::bench::readings::{Counted, Exits, Life, Maps, Pairs, Percentiles, Readings, Reads};
use crate::bench::times::{Cell, Times};

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
        beside: Some(maps(9000, 3000.0)),
        counted: BTreeMap::from([
            ("idle".into(), idle),
            ("few".into(), Counted { exits: 500, ..idle }),
            ("pairs".into(), Counted { exits: 4500, ..idle }),
        ]),
        exits: Some(Exits { access: vec![Percentiles { p50: map / 4, p99: map }] }),
        own_kib: Some(30 << 10),
        huge_mib: vec![512, 480],
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
    Readings { retries: 0, lives }
}

fn row<'a>(rows: &'a [Row], work: &str) -> &'a Row {
    rows.iter().find(|row| row.work.contains(work)).unwrap_or_else(|| panic!("no row {work}"))
}

fn value(cell: &Option<Cell>) -> Option<f64> {
    cell.as_ref().map(|cell| cell.value)
}

fn times(cell: &Option<Cell>) -> Option<f64> {
    Some(cell.as_ref()?.times.as_ref()?.median)
}

#[test]
fn each_row_takes_its_own_values() {
    let rows = rows(&readings());
    let map = row(&rows, "4 KiB map, p50");
    assert_eq!(
        (map.floor, value(&map.qemu), value(&map.mixvm), value(&map.unpolled)),
        (Some(9.0), Some(180.0), Some(20.0), Some(60.0))
    );
    assert_eq!(value(&row(&rows, "40 live").mixvm), Some(1000.0));
    assert_eq!(value(&row(&rows, "exits").mixvm), Some(2.0));
    assert_eq!(value(&row(&rows, "answered in the exit").mixvm), Some(5.0));
    assert_eq!(value(&row(&rows, "start").mixvm), Some(3.0), "the median of the lives that are alike");
    assert_eq!(value(&row(&rows, "resident").mixvm), Some(30.0));
    assert_eq!(value(&row(&rows, "in huge pages of the host").mixvm), Some(480.0), "the least");
    let left = row(&rows, "part of the reads");
    assert_eq!(
        (value(&left.qemu), value(&left.mixvm)),
        (None, Some(1000.0 / 1100.0)),
        "the middle of both lives"
    );
}

#[test]
fn a_guest_is_compared_with_the_floor_beside_it_and_no_other() {
    let mut readings = readings();
    // The machine was half as fast while this guest ran.
    readings.lives.get_mut(MIXVM).unwrap().beside = Some(maps(18_000, 1500.0));
    let rows = rows(&readings);
    let map = row(&rows, "4 KiB map, p50");
    assert_eq!((times(&map.qemu), times(&map.mixvm)), (Some(20.0), Some(20.0 / 18.0)));
    assert_eq!(map.floor, Some(9.0), "the middle of all");
    assert_eq!(times(&row(&rows, "40 live").mixvm), Some(1000.0 / 1500.0));
    assert_eq!(times(&row(&rows, "reads of").mixvm), None, "nobody reads beside it");
}

#[test]
fn growth_is_what_the_guest_adds_to_the_floors() {
    let mut readings = readings();
    let mixvm = readings.lives.get_mut(MIXVM).unwrap();
    mixvm.maps.as_mut().unwrap().pairs[1].per_second = vec![400.0; 3];
    mixvm.beside.as_mut().unwrap().pairs[1].per_second = vec![1500.0; 3];
    let floor = value(&row(&rows(&readings), "÷").mixvm).unwrap();
    assert!((floor - 0.8).abs() < 1e-9, "to 0.4, the floor itself to 0.5: {floor}");
}

#[test]
fn without_a_floor_beside_it_a_guest_has_figures_and_no_verdict() {
    let mut readings = readings();
    readings.lives.values_mut().for_each(|life| life.beside = None);
    let rows = rows(&readings);
    for work in ["4 KiB map, p50", "40 live", "pages of 2 MiB"] {
        let row = row(&rows, work);
        assert!(row.mixvm.is_some() && row.floor.is_none() && row.met().is_none(), "{work}");
    }
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
            // Another machine's, as it were: what counts is the floor beside the guest.
            floor: Some(90.0),
            qemu: Some(180.0.into()),
            mixvm: Some(Cell { value: 20.0, times: Times::of(&[20.0, 25.0, 18.0], &[9.0, 10.0, 9.0]) }),
            unpolled: None,
            target,
        };
        assert_eq!(row.met(), met, "{target:?}");
        assert_eq!(Row { mixvm: None, ..row }.met(), None, "{target:?} of nothing");
    }
}
