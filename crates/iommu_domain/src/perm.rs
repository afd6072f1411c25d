//! What a mapping permits.

use std::fmt;

/// Permission of a mapping, or the need of an access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Perm {
    /// Reads by the device.
    pub read: bool,
    /// Writes by the device.
    pub write: bool,
}

impl Perm {
    /// Reads only.
    pub const READ: Perm = Perm { read: true, write: false };
    /// Writes only.
    pub const WRITE: Perm = Perm { read: false, write: true };
    /// Both.
    pub const READ_WRITE: Perm = Perm { read: true, write: true };
    /// Neither: a mapping that forbids everything.
    pub const NONE: Perm = Perm { read: false, write: false };

    /// Whether all that `need` asks for is permitted.
    pub const fn allows(self, need: Perm) -> bool {
        (self.read || !need.read) && (self.write || !need.write)
    }
}

impl fmt::Display for Perm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.read, self.write) {
            (true, true) => "rw",
            (true, false) => "r",
            (false, true) => "w",
            (false, false) => "none",
        })
    }
}
