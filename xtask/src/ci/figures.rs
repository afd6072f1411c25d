//! The figures that suites print, on their way to the terminal and into the page that keeps them.
//!
//! A figure is a line that begins with the name of a suite and a colon.

use std::io::{self, Write};
use std::path::Path;

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
    /// What was kept.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.kept.iter().map(String::as_str)
    }

    /// Puts the figures into the page.
    pub fn write(&self, root: &Path) -> anyhow::Result<()> {
        page::write(root, "figures", &format!("```text\n{}\n```", self.kept.join("\n")))
    }
}

#[cfg(test)]
mod tests;
