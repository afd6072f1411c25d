use super::{placed, short, text};
use crate::bench::table::{Row, Target};
use crate::bench::times::{Cell, Times};
use crate::bench::{Method, Outcome};

fn outcome() -> Outcome {
    // Not 18 to 9: the machine was slower in some runs than in others, for both.
    let times = Some(Times { median: 2.5, low: 2.25, high: 3.0, runs: vec![2.5, 2.25, 3.0] });
    let row = Row {
        work: "4 KiB map".into(),
        unit: "µs",
        floor: Some(9.0),
        qemu: Some(180.0.into()),
        mixvm: Some(Cell { value: 18.0, times }),
        unpolled: None,
        target: Target::AtMostFloor(3.0),
    };
    let method = Method {
        date: "2030-01-02".into(),
        kernel: "6.12".into(),
        qemu: "7.2".into(),
        host_cpus: 2,
        host_idle: crate::qemu::Idle::Halt,
        runs: 5,
        failures: Vec::new(),
    };
    Outcome { arch: "x86_64", method, rows: vec![row] }
}

#[test]
fn figures_replace_those_of_their_architecture_only() {
    let marker =
        |arch: &str| format!("<!-- figures of {arch}: written by `cargo lab bench --write-report` -->\n");
    let page = format!(
        "a\n{}old\n<!-- end of x86_64 -->\nb\n{}kept\n<!-- end of aarch64 -->\n",
        marker("x86_64"),
        marker("aarch64")
    );
    let new = placed(&page, &outcome()).unwrap();
    assert!(!new.contains("old") && new.contains("kept") && new.starts_with("a\n"), "{new}");
    assert!(
        new.contains(
            "| 4 KiB map | 9.00 µs | 180 µs | 18.0 µs (×2.50, 2.25–3.00) | – | at most ×3.00: yes |"
        ),
        "{new}"
    );
    assert_eq!(placed(&new, &outcome()).as_deref(), Some(new.as_str()), "writing twice changes nothing");
    assert_eq!(placed("no markers", &outcome()), None);
}

#[test]
fn columns_are_even() {
    let table = text(&outcome().rows);
    let ends: Vec<_> = table.lines().map(|line| line.chars().count()).collect();
    assert!(ends.windows(2).all(|pair| pair[0].abs_diff(pair[1]) <= 12), "{table}");
}

#[test]
fn numbers_are_short() {
    for (value, text) in
        [(0.0, "0"), (0.0038, "0.004"), (0.254, "0.25"), (9.87, "9.87"), (45.67, "45.7"), (72_000.4, "72000")]
    {
        assert_eq!(short(value), text);
    }
}
