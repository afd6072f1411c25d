//! One step of the checks: a child process whose output is shown as it comes and counted on its way.
//!
//! Both of the child's outputs go through one pipe, so that the last lines of a step that failed can be told again at the end,
//! where a log that was cut still has them.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::counts::{Counter, Counts};

/// Whether a step runs tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tests {
    /// At least one must run.
    Expected,
    /// It is no test run.
    None,
}

/// What to run.
pub struct Step {
    /// Its name in the report.
    pub name: String,
    /// The program and its arguments.
    pub command: Command,
    /// Whether tests must run in it.
    pub tests: Tests,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The step's name.
    pub name: String,
    /// How long it took.
    pub time: Duration,
    /// Tests that ran in it.
    pub counts: Counts,
    /// Why it failed, if it did.
    pub problem: Option<String>,
    /// Its last lines of output.
    pub last_lines: Vec<String>,
}

/// Lines of a failed step that are told again.
const LAST_LINES: usize = 30;

/// What came out of a child.
#[derive(Default)]
struct Heard {
    counter: Counter,
    tail: Tail,
}

impl Step {
    /// Runs the child at `root`, without input, and copies to `shown` what it prints.
    pub fn run(mut self, root: &Path, shown: &mut impl Write) -> Outcome {
        let begun = Instant::now();
        self.command.current_dir(root).stdin(Stdio::null());
        let program = self.command.get_program().to_owned();
        let mut heard = Heard::default();
        let problem = match stream(self.command, shown, &mut heard) {
            Ok(status) => judge(heard.counter.counts, status, self.tests),
            Err(error) => Some(format!("cannot run {program:?}: {error}")),
        };
        Outcome {
            name: self.name,
            time: begun.elapsed(),
            counts: heard.counter.counts,
            problem,
            last_lines: heard.tail.lines.into(),
        }
    }
}

/// Copies the child's output, piece by piece, and counts tests in it. The command is dropped once it runs: with it go our
/// copies of the pipe's end, so that the output ends when the child does.
fn stream(mut command: Command, to: &mut impl Write, heard: &mut Heard) -> io::Result<ExitStatus> {
    let (mut output, end) = io::pipe()?;
    let mut child = command.stdout(end.try_clone()?).stderr(end).spawn()?;
    drop(command);
    let mut piece = [0; 8192];
    loop {
        let len = output.read(&mut piece)?;
        if len == 0 {
            return child.wait();
        }
        to.write_all(&piece[..len])?;
        to.flush()?;
        heard.counter.feed(&piece[..len]);
        heard.tail.feed(&piece[..len]);
    }
}

/// The last lines of a stream.
#[derive(Default)]
struct Tail {
    lines: VecDeque<String>,
    line: Vec<u8>,
}

impl Tail {
    fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            if self.lines.len() == LAST_LINES {
                self.lines.pop_front();
            }
            self.lines.push_back(String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned());
        }
    }
}

/// Why the step failed, if it did.
fn judge(counts: Counts, status: ExitStatus, tests: Tests) -> Option<String> {
    if !status.success() {
        return Some(status.to_string());
    }
    match tests {
        _ if counts.failed > 0 => Some("tests failed".into()),
        Tests::Expected if counts.passed == 0 => Some("no test ran".into()),
        Tests::Expected if counts.ignored > 0 => Some(format!("{} tests were ignored", counts.ignored)),
        _ => None,
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.problem.is_none() { "ok" } else { "FAILED" };
        write!(f, "{:<14} {:>7.1} s  {verdict:<6}", self.name, self.time.as_secs_f64())?;
        if self.counts != Counts::default() {
            write!(f, "  {} passed, {} failed", self.counts.passed, self.counts.failed)?;
        }
        match &self.problem {
            Some(problem) => write!(f, "  ({problem})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
