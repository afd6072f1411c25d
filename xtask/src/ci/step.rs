//! One step of the checks: a child process whose output is shown as it comes and counted on its way.

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
}

impl Step {
    /// Runs the child at `root`, without input, and copies to `shown` what it prints.
    pub fn run(mut self, root: &Path, shown: &mut impl Write) -> Outcome {
        let begun = Instant::now();
        self.command.current_dir(root).stdin(Stdio::null()).stdout(Stdio::piped());
        let (counts, problem) = match stream(&mut self.command, shown) {
            Ok((counts, status)) => (counts, judge(counts, status, self.tests)),
            Err(error) => {
                (Counts::default(), Some(format!("cannot run {:?}: {error}", self.command.get_program())))
            }
        };
        Outcome { name: self.name, time: begun.elapsed(), counts, problem }
    }
}

/// Copies the child's output, piece by piece, and counts tests in it.
fn stream(command: &mut Command, to: &mut impl Write) -> io::Result<(Counts, ExitStatus)> {
    let mut child = command.spawn()?;
    let mut counter = Counter::default();
    if let Some(mut output) = child.stdout.take() {
        let mut piece = [0; 8192];
        loop {
            let len = output.read(&mut piece)?;
            if len == 0 {
                break;
            }
            to.write_all(&piece[..len])?;
            to.flush()?;
            counter.feed(&piece[..len]);
        }
    }
    Ok((counter.counts, child.wait()?))
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
