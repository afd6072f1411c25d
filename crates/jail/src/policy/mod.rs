//! The policy compiler: policy text in, BPF out. Only the build script and the unit tests contain it.
//!
//! A name that is unknown on the target (system call, constant, error) is an error with file and line, never a rule that is left
//! out. What the text does not list is denied.

mod compile;
mod constants;
mod parse;

use std::collections::BTreeMap;
use std::path::PathBuf;

#[cfg(not(test))]
pub use compile::Filters;
pub use compile::compile;
pub use parse::{Sources, parse};

/// One policy after all includes: what happens to each listed system call, by number.
pub type Policy = BTreeMap<u32, Call>;

/// A line of a policy and its includes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// As in the kernel's table.
    pub name: String,
    /// Where the first line for it stands.
    pub place: Place,
    /// What the filter does.
    pub verdict: Verdict,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// From 1.
    pub line: usize,
}

/// What the filter does with a listed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Lets it through, whatever its arguments.
    Always,
    /// Lets it through when all conditions of one alternative hold.
    AnyOf(Vec<Vec<Condition>>),
    /// Does not carry it out and answers with this error number.
    Answer(u16),
}

/// A condition on one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// 0 to 5.
    pub arg: u8,
    /// All 64 bits are compared; else the low 32, because the kernel takes no more of this argument.
    pub wide: bool,
    /// The comparison.
    pub test: Test,
}

/// A comparison with a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// `==`
    Equal(u64),
    /// `!=`
    NotEqual(u64),
    /// `<=`, unsigned
    AtMost(u64),
    /// `within`: no bit is set that the constant does not have
    Within(u64),
}

#[cfg(test)]
mod shipped;
