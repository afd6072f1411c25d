//! The steps and the closing report.

use std::time::Duration;

use super::step::Outcome;
use super::{Args, Counts, report, steps};

fn outcome(problem: Option<&str>) -> Outcome {
    let counts = Counts { passed: 1, failed: 0, ignored: 0 };
    Outcome {
        name: "sample".into(),
        time: Duration::ZERO,
        counts,
        problem: problem.map(String::from),
        last_lines: Vec::new(),
    }
}

#[test]
fn the_lab_can_be_left_out_and_nothing_else() {
    let names = |no_lab| {
        steps(&Args { no_lab, write_report: false }).into_iter().map(|step| step.name).collect::<Vec<_>>()
    };
    let without = ["test", "check aarch64", "model", "faults", "chains", "growth", "fuzz", "loom"];
    assert_eq!(names(true), without);
    let rigs = ["rig x86_64", "rig aarch64"];
    let labs = ["lab x86_64", "lab aarch64", "lab aarch64 GICv2"];
    assert_eq!(names(false), [&without[..], &rigs, &["jail aarch64"], &labs].concat());
}

#[test]
fn one_problem_fails_the_whole() {
    assert!(report(&[outcome(None), outcome(None)], Duration::ZERO));
    assert!(!report(&[outcome(None), outcome(Some("no test ran"))], Duration::ZERO));
}
