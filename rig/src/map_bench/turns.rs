//! Turns with another process that does the same runs: the machine is fast or slow for both of them.
//!
//! Invariant: between the word that a turn is wanted and the line that grants it nothing is done, and so nothing measured.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// What is said when the next turn is wanted.
const WANTED: &str = "LAB turn\n";

/// The turns of one process; none where it has the machine for itself.
pub struct Turns {
    /// Where it says that it wants the next one.
    says: Option<File>,
}

impl Turns {
    /// Asks for each turn at `path`, which exists, and is granted it by a line on standard input; asks nobody without a path.
    pub fn new(path: Option<&Path>) -> Result<Turns> {
        let open = |path: &Path| {
            let file = OpenOptions::new().append(true).open(path);
            file.with_context(|| format!("opening {} to ask for turns", path.display()))
        };
        Ok(Turns { says: path.map(open).transpose()? })
    }

    /// Waits for the next turn; false when there is nobody to wait for.
    pub fn next(&self) -> Result<bool> {
        let Some(says) = &self.says else { return Ok(false) };
        wait(says, io::stdin().lock()).map(|()| true)
    }
}

fn wait(mut says: impl Write, mut grants: impl BufRead) -> Result<()> {
    // In one piece: others write to the same console.
    says.write_all(WANTED.as_bytes()).context("asking for a turn")?;
    let read = grants.read_line(&mut String::new()).context("waiting for a turn")?;
    ensure!(read > 0, "waiting for a turn: standard input has ended, nobody can grant one any more");
    Ok(())
}

#[cfg(test)]
mod tests;
