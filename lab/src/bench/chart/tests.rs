use super::svg;
use crate::bench::table::{Row, Target};
use crate::bench::times::{Cell, Times};

fn cell(value: f64, times: [f64; 3]) -> Option<Cell> {
    let [low, median, high] = times;
    Some(Cell { value, times: Some(Times { median, low, high, runs: Vec::new() }) })
}

fn row() -> Row {
    Row {
        work: "a < b".into(),
        unit: "/s",
        floor: Some(1000.0),
        qemu: cell(10.0, [0.005, 0.01, 0.1]),
        mixvm: cell(500.0, [0.25, 0.5, 1.0]),
        unpolled: None,
        target: Target::None,
    }
}

#[test]
fn longer_bars_are_slower_and_rows_without_a_floor_are_left_out() {
    let chart = svg(&[row(), Row { work: "no floor".into(), qemu: Some(1.0.into()), mixvm: None, ..row() }]);
    assert!(chart.contains("a &lt; b") && !chart.contains("no floor"), "{chart}");
    assert!(chart.contains("×100.0") && chart.contains("×2.0"), "{chart}");
    let width = |colour: &str| -> f64 {
        let bar = chart.lines().rev().find(|line| line.contains("rect") && line.contains(colour)).unwrap();
        bar.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
    };
    assert!(width("#b8b8b8") > 2.0 * width("#1f6fb2"));
}

#[test]
fn a_line_shows_where_half_of_the_runs_lie_and_the_axis_is_long_enough_for_it() {
    let chart = svg(&[row()]);
    // Behind QEMU from 10 to 200 times as long: the axis goes to 1000, 500 pixels from 250 on.
    assert!(chart.contains("x1=\"416.7\" y1=\"56.5\" x2=\"633.5\""), "{chart}");
    let slower = Row { unit: "µs", qemu: cell(10.0, [20.0, 30.0, 40.0]), ..row() };
    let chart = svg(&[slower]);
    assert!(chart.contains("×30.0") && chart.contains("x1=\"575.3\""), "a time is not turned round: {chart}");
}
