//! Runs the lab host under a watchdog.
//!
//! Invariant: a run ends. Either the host switches itself off, or it makes no progress mark for the time allowed and is
//! killed, or it dies by itself, as emulated hosts do now and then when their kernel changes its own code. After a stall or a
//! death there is one more try, which skips the steps that were finished, and is counted and shown with the end of the console.
//! Two tries that end without a step finished between them are a failure, and so is one more than [`RETRIES`].

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::console::{Mark, mark};
use crate::exec;

/// Lines of a dead host's console that are told.
const CONSOLE_LINES: usize = 20;
/// Further tries in one run.
const RETRIES: u32 = 3;

/// How a run that was not cut short ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Stalls and deaths that were answered by another try.
    pub retries: u32,
    /// What the host's scripts reported as failed.
    pub failures: Vec<String>,
}

/// How one try ended.
#[derive(Debug, PartialEq, Eq)]
enum Try {
    Done(Vec<String>),
    /// Why it came to no end of its own, and whether it finished a step.
    Stalled {
        why: String,
        went_on: bool,
    },
}

/// Runs `command` (made anew for each try), appends its console to `log` and hands each mark to `seen`.
pub fn run(
    make: impl Fn() -> Command,
    log: &Path,
    stall: Duration,
    mut seen: impl FnMut(&Mark),
) -> Result<Outcome> {
    let mut file = File::create(log).with_context(|| format!("creating {}", log.display()))?;
    let mut outcome = Outcome::default();
    loop {
        let mut command = make();
        writeln!(file, "$ {}", exec::shown(&command))?;
        match one_try(&mut command, &mut file, stall, &mut seen)? {
            Try::Done(failures) => {
                outcome.failures = failures;
                return Ok(outcome);
            }
            Try::Stalled { why, went_on }
                if outcome.retries == 0 || (went_on && outcome.retries < RETRIES) =>
            {
                outcome.retries += 1;
                let text =
                    format!("{why}: trying once more; its console:\n{}", exec::tail(log, CONSOLE_LINES));
                writeln!(file, "# {text}")?;
                seen(&Mark::Host { stage: "retry".into(), text });
            }
            Try::Stalled { why, .. } => bail!(
                "the lab host failed {} times: {why}; its console:\n{}",
                outcome.retries + 1,
                exec::tail(log, CONSOLE_LINES)
            ),
        }
    }
}

fn one_try(
    command: &mut Command,
    log: &mut File,
    stall: Duration,
    seen: &mut impl FnMut(&Mark),
) -> Result<Try> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.try_clone()?);
    let mut child = command.spawn().with_context(|| format!("starting {}", exec::shown(command)))?;
    let lines = lines_of(&mut child)?;
    let mut last = "none".to_owned();
    let mut failures = Vec::new();
    let mut done = false;
    let mut went_on = false;
    let mut deadline = Instant::now() + stall;
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                log.write_all(line.as_bytes())?;
                let Some(mark) = mark(&line) else { continue };
                deadline = Instant::now() + stall;
                match &mark {
                    Mark::Host { stage, text } => {
                        last = format!("{stage} {text}");
                        done |= stage == "done";
                        went_on |= stage == "finished";
                        if stage == "fail" {
                            failures.push(text.clone());
                        }
                    }
                    Mark::Guest(text) => last.clone_from(text),
                }
                seen(&mark);
            }
            Err(RecvTimeoutError::Timeout) => {
                end(&mut child)?;
                let why = || format!("no progress for {} s after \"{last}\"", stall.as_secs());
                return Ok(ended(done, failures, went_on, why));
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = child.wait()?;
                let why = || format!("the lab host ended after \"{last}\", before its job did ({status})");
                return Ok(ended(done, failures, went_on, why));
            }
        }
    }
}

fn ended(done: bool, failures: Vec<String>, went_on: bool, why: impl FnOnce() -> String) -> Try {
    if done { Try::Done(failures) } else { Try::Stalled { why: why(), went_on } }
}

fn end(child: &mut Child) -> Result<()> {
    // It may have ended by itself a moment ago; either way it is gone after `wait`.
    let _ = child.kill();
    child.wait()?;
    Ok(())
}

/// Reads the console on a thread of its own, so that the reader can wait with a time limit.
fn lines_of(child: &mut Child) -> Result<Receiver<String>> {
    let output = child.stdout.take().context("the emulator has no console")?;
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(output);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
            if sender.send(String::from_utf8_lossy(&bytes).into_owned()).is_err() {
                return;
            }
            bytes.clear();
        }
    });
    Ok(receiver)
}

#[cfg(test)]
mod tests;
