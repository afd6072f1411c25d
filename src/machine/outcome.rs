//! How a machine ends.

use std::fmt;

/// How the machine ended. The exit codes are crosvm's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The guest switched itself off, or the user stopped it.
    PowerOff,
    /// The guest asked for a reset; start it again for that.
    Reset,
    /// The guest crashed: it said so, or a processor could not go on.
    Crash,
}

impl Outcome {
    /// Exit code of the process.
    pub fn exit_code(self) -> u8 {
        match self {
            Outcome::PowerOff => 0,
            Outcome::Reset => 32,
            Outcome::Crash => 33,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::PowerOff => "powered off",
            Outcome::Reset => "asked for a reset",
            Outcome::Crash => "crashed",
        })
    }
}
