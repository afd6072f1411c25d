//! Shows progress and keeps the clock of each phase.
//!
//! On a terminal a spinner follows the current phase; elsewhere every step is a plain line. Everything goes to
//! standard error, so that standard output holds results only.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How long one phase took.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseTime {
    /// The phase's name.
    pub name: &'static str,
    /// Wall-clock time.
    pub seconds: f64,
}

/// The progress display.
pub struct Ui {
    bar: Option<ProgressBar>,
    logs: Option<PathBuf>,
    started: Instant,
    current: Option<(&'static str, Instant)>,
    done: Vec<PhaseTime>,
}

impl Ui {
    /// A display that suits standard error.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} [{elapsed}] {prefix:.bold} {wide_msg}")
            {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, logs: None, started: Instant::now(), current: None, done: Vec::new() }
    }

    /// Ends the current phase and enters the next one.
    pub fn phase(&mut self, name: &'static str) {
        self.end_phase();
        self.current = Some((name, Instant::now()));
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(name);
                bar.set_message("");
            }
            None => self.line(name),
        }
    }

    /// Something that happened within the phase and will soon be of no interest.
    pub fn step(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            None => self.line(&format!("  {text}")),
        }
    }

    /// One of many lines: shown in passing on a terminal, elsewhere only when it `matters`.
    pub fn chatter(&self, text: &str, matters: bool) {
        if self.bar.is_some() || matters {
            self.step(text);
        }
    }

    /// Something that must stay readable after the end.
    pub fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => self.line(&format!("  {text}")),
        }
    }

    /// Tells where the phases from now on write their logs.
    pub fn logs(&mut self, folder: &Path) {
        self.logs = Some(folder.to_path_buf());
    }

    /// Ends the display with a failure: its phase, its reason and the log that tells more.
    pub fn fail(&mut self, reason: &anyhow::Error) {
        let phase = self.current.map_or("start", |(name, _)| name);
        self.finish();
        eprintln!("phase {phase} failed: {reason:#}");
        if let Some(folder) = &self.logs {
            let log = folder.join(format!("{phase}.log"));
            eprintln!("log: {}", if log.is_file() { log } else { folder.clone() }.display());
        }
    }

    /// Ends the display and returns the time that each phase took.
    pub fn finish(&mut self) -> Vec<PhaseTime> {
        self.end_phase();
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.done.clone()
    }

    fn end_phase(&mut self) {
        if let Some((name, since)) = self.current.take() {
            self.done.push(PhaseTime { name, seconds: since.elapsed().as_secs_f64() });
        }
    }

    fn line(&self, text: &str) {
        eprintln!("[{:6.1}s] {text}", self.started.elapsed().as_secs_f64());
    }
}
