//! The figures that suites print, on their way to the terminal and into the page that keeps them.
//!
//! A figure is a line that begins with the name of a suite and a colon.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;

/// Suites whose lines are kept.
const SUITES: &[&str] = &["model", "faults", "chains", "growth", "fuzz"];
const PAGE: &str = "docs/src/testing.md";
const BEGIN: &str = "<!-- figures: written by `cargo xtask ci --write-report` -->";
const END: &str = "<!-- end of figures -->";

/// Passes output on and keeps the figures in it.
#[derive(Default)]
pub struct Figures {
    line: Vec<u8>,
    kept: Vec<String>,
}

impl Write for Figures {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim().to_string();
            if line.split_once(": ").is_some_and(|(name, _)| SUITES.contains(&name)) {
                self.kept.push(line);
            }
        }
        io::stdout().write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

impl Figures {
    /// Puts the figures between the markers of the page.
    pub fn write(&self, root: &Path) -> anyhow::Result<()> {
        let path = root.join(PAGE);
        let old =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let new = self.placed(&old).with_context(|| format!("{PAGE} has no markers for the figures"))?;
        std::fs::write(&path, new).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The page with the figures in place of those that stand there.
    fn placed(&self, page: &str) -> Option<String> {
        let (before, rest) = page.split_once(BEGIN)?;
        let (_, after) = rest.split_once(END)?;
        Some(format!("{before}{BEGIN}\n```text\n{}\n```\n{END}{after}", self.kept.join("\n")))
    }
}

#[cfg(test)]
mod tests;
