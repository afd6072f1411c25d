//! What makes a step fail. The samples' closing lines go nowhere: shown, they would count as tests of ours.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Counts, Step, Tests};

fn problem(script: &str, tests: Tests) -> (Counts, Option<String>) {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    let outcome = Step { name: "sample".into(), command, tests }.run(Path::new("/"), &mut io::sink());
    (outcome.counts, outcome.problem)
}

#[test]
fn a_step_fails_by_its_status_its_tests_or_for_want_of_tests() {
    let ok = "echo 'test result: ok. 4 passed; 0 failed; 0 ignored;'";
    let bad = "echo 'test result: FAILED. 1 passed; 2 failed; 0 ignored;'";
    let skipped = "echo 'test result: ok. 1 passed; 0 failed; 2 ignored;'";
    for (script, tests, want) in [
        (ok.to_string(), Tests::Expected, None),
        (format!("{ok}; exit 3"), Tests::Expected, Some("exit status: 3")),
        (bad.to_string(), Tests::Expected, Some("tests failed")),
        (skipped.to_string(), Tests::Expected, Some("2 tests were ignored")),
        ("true".to_string(), Tests::Expected, Some("no test ran")),
        ("true".to_string(), Tests::None, None),
        ("kill -9 $$".to_string(), Tests::None, Some("signal: 9 (SIGKILL)")),
    ] {
        assert_eq!(problem(&script, tests).1.as_deref(), want, "{script}");
    }
}

#[test]
fn the_tests_of_a_failed_step_still_count() {
    let script = "echo 'test result: ok. 4 passed; 0 failed; 0 ignored;'; echo 'test result: FAILED. 1 passed; 2 failed; 0 ignored;'; exit 1";
    assert_eq!(problem(script, Tests::Expected).0, Counts { passed: 5, failed: 2, ignored: 0 });
}

#[test]
fn a_child_has_no_input_to_wait_for() {
    let mut command = Command::new("sh");
    command.args(["-c", "test \"$(readlink /proc/$$/fd/0)\" = /dev/null"]).stdin(Stdio::piped());
    let step = Step { name: "sample".into(), command, tests: Tests::None };
    assert_eq!(step.run(Path::new("/"), &mut io::sink()).problem, None);
}

#[test]
fn a_program_that_is_not_there_is_a_problem_that_names_it() {
    let step = Step { name: "sample".into(), command: Command::new("no-such-program"), tests: Tests::None };
    let problem = step.run(Path::new("/"), &mut io::sink()).problem.unwrap();
    assert!(problem.contains("no-such-program"), "{problem}");
}

#[test]
fn the_last_lines_of_both_outputs_are_kept() {
    let mut command = Command::new("sh");
    command.args(["-c", "seq 100; echo why >&2"]);
    let step = Step { name: "sample".into(), command, tests: Tests::None };
    let lines = step.run(Path::new("/"), &mut io::sink()).last_lines;
    assert_eq!((lines.len(), lines[0].as_str(), lines[29].as_str()), (30, "72", "why"));
}
