use super::svg;
use crate::bench::table::{Row, Target};

#[test]
fn longer_bars_are_slower_and_rows_without_a_floor_are_left_out() {
    let row = Row {
        work: "a < b".into(),
        unit: "/s",
        busy_floor: None,
        floor: Some(1000.0),
        qemu: Some(10.0),
        mixvm: Some(500.0),
        unpolled: None,
        target: Target::None,
    };
    let chart = svg(&[row.clone(), Row { work: "no floor".into(), floor: None, ..row }]);
    assert!(chart.contains("a &lt; b") && !chart.contains("no floor"), "{chart}");
    assert!(chart.contains("×100.0") && chart.contains("×2.0"), "{chart}");
    let width = |colour: &str| -> f64 {
        let bar = chart.lines().rev().find(|line| line.contains("rect") && line.contains(colour)).unwrap();
        bar.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
    };
    assert!(width("#b8b8b8") > 2.0 * width("#1f6fb2"));
}
