//! The watchdog, with small shell scripts in the emulator's place.

use std::cell::Cell;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::run;

fn log(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("lab-watch-{name}-{}.log", std::process::id()))
}

fn shell(text: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", text]);
    command
}

const STALL: Duration = Duration::from_millis(300);
const SILENT: &str =
    "echo @lab up; for i in 1 2 3 4 5 6 7 8 9 10; do echo 'rcu: stall'; sleep 0.1; done; exec sleep 60";

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
fn one_stall_is_retried_and_counted() {
    let log = log("retry");
    let tries = Cell::new(0);
    let make = || {
        tries.set(tries.get() + 1);
        shell(if tries.get() == 1 { SILENT } else { "echo @lab done" })
    };
    let started = Instant::now();
    let mut retries_shown = 0;
    let outcome = run(make, &log, STALL, |mark| {
        retries_shown +=
            u32::from(matches!(mark, crate::console::Mark::Host { stage, .. } if stage == "retry"));
    });
    std::fs::remove_file(log).unwrap();
    assert_eq!((outcome.unwrap().retries, tries.get(), retries_shown), (1, 2, 1));
    assert!(started.elapsed() < Duration::from_secs(1), "complaints of the kernel counted as progress");
}

#[test]
fn two_stalls_in_a_row_fail_and_name_the_last_mark() {
    let log = log("stall");
    let error = run(|| shell(SILENT), &log, STALL, |_| {}).unwrap_err().to_string();
    std::fs::remove_file(log).unwrap();
    assert!(error.contains("stalled twice") && error.contains("up"), "{error}");
}

#[test]
fn a_host_that_dies_is_not_retried() {
    let log = log("died");
    let error = run(|| shell("echo @lab host-up"), &log, STALL, |_| {}).unwrap_err().to_string();
    std::fs::remove_file(log).unwrap();
    assert!(error.contains("before its job") && error.contains("host-up"), "{error}");
}
