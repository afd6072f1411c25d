//! A broken law, where it is broken, and what to do about it.

use std::fmt;

/// One line of the linter's report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path from the root of the tree.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// The law's short name.
    pub law: &'static str,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: &'static str,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}; {}", self.path, self.line, self.law, self.what, self.remedy)
    }
}
