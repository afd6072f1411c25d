//! How many tests ran, read from the closing lines of test runs.
//!
//! A closing line is what Rust's test harness prints, `test result: ok. 3 passed; 0 failed; 1 ignored; …`, or what the lab prints, `3
//! passed, 0 failed` and nothing else.

use std::fmt;
use std::ops::AddAssign;

/// Sums over closing lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests that were left out.
    pub ignored: u64,
}

impl Counts {
    /// The counts of a closing line; nothing for any other line.
    pub fn of_line(line: &str) -> Option<Counts> {
        match line.split_once("test result: ") {
            Some((_, rest)) => Counts::of_harness(rest),
            None => Counts::of_lab(line.trim()),
        }
    }

    fn of_harness(rest: &str) -> Option<Counts> {
        let number = |word: &str| {
            let (before, _) = rest.split_once(word)?;
            before.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        let ignored = number(" ignored;").unwrap_or(0);
        Some(Counts { passed: number(" passed;")?, failed: number(" failed;")?, ignored })
    }

    fn of_lab(line: &str) -> Option<Counts> {
        let (passed, failed) = line.strip_suffix(" failed")?.split_once(" passed, ")?;
        Some(Counts { passed: passed.parse().ok()?, failed: failed.parse().ok()?, ignored: 0 })
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "total: {} passed, {} failed", self.passed, self.failed)
    }
}

/// Cuts a stream of bytes into lines and sums up what they count.
#[derive(Default)]
pub struct Counter {
    line: Vec<u8>,
    /// The sum so far; a last line without its end is not in it.
    pub counts: Counts,
}

impl Counter {
    /// Takes the next piece of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            if let Some(counts) = Counts::of_line(&String::from_utf8_lossy(&self.line)) {
                self.counts += counts;
            }
            self.line.clear();
        }
    }
}

#[cfg(test)]
mod tests;
