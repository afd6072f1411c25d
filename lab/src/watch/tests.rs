//! The watchdog, with small shell scripts in the emulator's place.

use std::cell::Cell;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::run;
use crate::console::Mark;

fn log(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("lab-watch-{name}-{}.log", std::process::id()))
}

fn shell(text: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", text]);
    command
}

const STALL: Duration = Duration::from_secs(2);
/// Complains for twice as long as a stall takes: who takes complaints for progress sees the mark behind them.
const SILENT: &str =
    "echo @lab up; for i in $(seq 40); do echo 'rcu: stall'; sleep 0.1; done; echo @lab late; exec sleep 60";

#[test]
fn a_job_that_ends_is_done_and_its_failures_are_kept() {
    let log = log("done");
    let mut marks = 0;
    let make = || shell("echo @lab up; echo noise; echo '@lab fail no disk'; echo @lab done");
    let outcome = run(make, &log, Duration::from_secs(20), |_| marks += 1).unwrap();
    assert_eq!(
        (outcome.retries, outcome.failures.as_slice(), marks),
        (0, ["no disk".to_owned()].as_slice(), 3)
    );
    assert!(std::fs::read_to_string(&log).unwrap().contains("noise"));
    std::fs::remove_file(log).unwrap();
}

#[test]
fn one_stall_or_death_is_retried_and_counted() {
    for (case, first) in [("retry", SILENT), ("panic", "echo @lab host-ready")] {
        let log = log(case);
        let tries = Cell::new(0);
        let make = || {
            tries.set(tries.get() + 1);
            shell(if tries.get() == 1 { first } else { "echo @lab done" })
        };
        let mut stages = Vec::new();
        let outcome = run(make, &log, STALL, |mark| {
            if let Mark::Host { stage, .. } = mark {
                stages.push(stage.clone());
            }
        });
        std::fs::remove_file(log).unwrap();
        assert_eq!((outcome.unwrap().retries, tries.get()), (1, 2), "{case}");
        assert_eq!(stages[1..], ["retry", "done"], "{case}: complaints of the kernel are no progress");
    }
}

#[test]
fn two_stalls_in_a_row_fail_and_name_the_last_mark() {
    let log = log("stall");
    let error = run(|| shell(SILENT), &log, STALL, |_| {}).unwrap_err().to_string();
    std::fs::remove_file(log).unwrap();
    assert!(error.contains("failed 2 times") && error.contains("up"), "{error}");
}

#[test]
fn a_host_that_dies_twice_is_a_failure_that_tells_its_console() {
    let log = log("died");
    let script = "echo @lab host-ready; echo '@lab guest demo'; echo 'Oops: a last word'";
    let error = run(|| shell(script), &log, STALL, |_| {}).unwrap_err().to_string();
    std::fs::remove_file(log).unwrap();
    for part in ["failed 2 times", "before its job", "guest demo", "a last word"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_host_that_goes_on_after_each_death_gets_further_tries_up_to_a_limit() {
    let life = "echo @lab finished demo";
    for (case, last, retries) in [("goes-on", 4, Some(3)), ("for-ever", u32::MAX, None)] {
        let log = log(case);
        let tries = Cell::new(0);
        let make = || {
            tries.set(tries.get() + 1);
            shell(if tries.get() < last { life } else { "echo @lab done" })
        };
        let outcome = run(make, &log, STALL, |_| {});
        std::fs::remove_file(log).unwrap();
        assert_eq!(outcome.map(|outcome| outcome.retries).ok(), retries, "{case}");
        assert_eq!(tries.get(), 4, "{case}");
    }
}
