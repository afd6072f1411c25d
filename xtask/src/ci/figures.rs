//! The figures that suites print, on their way to the terminal and into the page that keeps them.
//!
//! A figure is a line that begins with the name of a suite and a colon; a suite's last one counts. The page holds one run and
//! nothing of those before it: a step that was left out is named, and its figures are gone.

use std::io::{self, Write};
use std::path::Path;

use anyhow::ensure;

use super::Outcome;
use crate::page;

/// Suites whose lines are kept.
const SUITES: &[&str] = &[
    "model",
    "faults",
    "chains",
    "growth",
    "fuzz",
    "cover",
    "loom",
    "miri",
    "sanitizer",
    "kernel x86_64",
    "kernel aarch64",
    "oracle x86_64",
    "oracle aarch64",
];

/// Passes output on and keeps the figures in it.
#[derive(Default)]
pub struct Figures {
    line: Vec<u8>,
    kept: Vec<(String, String)>,
}

impl Write for Figures {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim().to_string();
            self.keep(line);
        }
        io::stdout().write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

impl Figures {
    fn keep(&mut self, line: String) {
        let Some((name, _)) = line.split_once(": ").filter(|(name, _)| SUITES.contains(name)) else { return };
        match self.kept.iter_mut().find(|(there, _)| there == name) {
            Some(there) => there.1 = line,
            None => self.kept.push((name.into(), line)),
        }
    }

    /// What was kept, a line for each suite.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.kept.iter().map(|(_, line)| line.as_str())
    }

    /// Puts the report of a run that took these steps into the page.
    pub fn write(&self, root: &Path, taken: &[Outcome], report: &str) -> anyhow::Result<()> {
        self.complete(taken)?;
        page::write(root, "figures", report)
    }

    /// Each step has printed its figures.
    fn complete(&self, taken: &[Outcome]) -> anyhow::Result<()> {
        for name in taken.iter().flat_map(|step| figures_of(&step.name)) {
            let printed = self.kept.iter().any(|(there, _)| *there == name);
            ensure!(printed, "no line of the run begins with \"{name}: \", so the page stays as it was");
        }
        Ok(())
    }

    /// The report of a check that took these steps; `whole` are those of one that leaves nothing out.
    pub fn of_ci(&self, taken: &[Outcome], whole: &[String]) -> String {
        let left_out = whole.iter().filter(|name| !taken.iter().any(|step| step.name == **name));
        let left_out: Vec<&str> = left_out.map(String::as_str).collect();
        let told = match left_out[..] {
            [] => "One run of `cargo xtask ci`, all steps.".into(),
            _ => format!(
                "One run of `cargo xtask ci`, in part. Not run, and not below: {}.",
                left_out.join(", ")
            ),
        };
        self.table(&told, taken)
    }

    /// Steps and figures under a line that tells what ran.
    pub fn table(&self, told: &str, taken: &[Outcome]) -> String {
        let steps: Vec<String> = taken.iter().map(|step| step.to_string().trim_end().into()).collect();
        let figures: Vec<&str> = self.lines().collect();
        format!("{told}\n\n```text\n{}\n\n{}\n```", steps.join("\n"), figures.join("\n"))
    }
}

/// The figures that a step must print.
fn figures_of(step: &str) -> Vec<String> {
    match step.strip_prefix("rig ") {
        Some(arch) => ["kernel", "oracle"].map(|check| format!("{check} {arch}")).into(),
        None => SUITES.iter().filter(|suite| **suite == step).map(|suite| (*suite).into()).collect(),
    }
}

#[cfg(test)]
mod tests;
