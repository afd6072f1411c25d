//! Refusals: why a run cannot be, in words that `check` and `run` share, and the exit codes.

use std::fmt;

/// Exit code of `check` when a device cannot be assigned, and of everything that was refused or failed.
pub const FAILED: u8 = 1;

/// One reason against a run, complete enough to act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Whom it is about: a device, a group, a flag.
    pub subject: String,
    /// What is refused: the rest of a sentence that starts with the subject.
    pub what: String,
    /// Why: a clause.
    pub why: String,
    /// What to do next: whole sentences.
    pub remedy: String,
}

impl Refusal {
    /// A refusal; see the fields for the form of each part.
    pub fn new(
        subject: impl ToString,
        what: impl Into<String>,
        why: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Refusal {
        Refusal { subject: subject.to_string(), what: what.into(), why: why.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}. {}", self.subject, self.what, self.why, self.remedy)
    }
}

/// All reasons against a run; never empty.
#[derive(Debug)]
pub struct Refused(pub Vec<Refusal>);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, refusal) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{refusal}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}
