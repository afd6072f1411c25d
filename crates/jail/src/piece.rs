//! The pieces that a jail is made of, and sets of them.

use std::fmt;
use std::str::FromStr;

/// The flag of the command line that lets pieces go; messages name it.
pub const WITHOUT_FLAG: &str = "--jail-without";

/// One piece of the jail, in the order in which they are put in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Piece {
    /// A user namespace: what looks like root is nobody outside.
    User,
    /// A process id namespace: no other process has a number here.
    Pid,
    /// A mount namespace. Without it the root stays too.
    Mount,
    /// A network namespace without an interface.
    Net,
    /// A namespace for System V and POSIX message queues.
    Ipc,
    /// A namespace for the host name.
    Uts,
    /// An empty, read-only root directory.
    Root,
    /// Resource limits.
    Limits,
    /// No capability in any set.
    Capabilities,
    /// No privilege by executing a file.
    NoNewPrivileges,
    /// Landlock: no file by path, no TCP port, no signal to the outside.
    Landlock,
    /// The list of system calls.
    Seccomp,
}

impl Piece {
    /// All, in order.
    pub const ALL: [Piece; 12] = [
        Piece::User,
        Piece::Pid,
        Piece::Mount,
        Piece::Net,
        Piece::Ipc,
        Piece::Uts,
        Piece::Root,
        Piece::Limits,
        Piece::Capabilities,
        Piece::NoNewPrivileges,
        Piece::Landlock,
        Piece::Seccomp,
    ];

    /// The word for it on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Piece::User => "user",
            Piece::Pid => "pid",
            Piece::Mount => "mount",
            Piece::Net => "net",
            Piece::Ipc => "ipc",
            Piece::Uts => "uts",
            Piece::Root => "root",
            Piece::Limits => "limits",
            Piece::Capabilities => "capabilities",
            Piece::NoNewPrivileges => "no-new-privileges",
            Piece::Landlock => "landlock",
            Piece::Seccomp => "seccomp",
        }
    }

    fn bit(self) -> u16 {
        1 << self as u8
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of pieces; written as their names with commas, and empty as the empty text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pieces(u16);

impl Pieces {
    /// None.
    pub const NONE: Pieces = Pieces(0);

    /// Every piece.
    pub fn all() -> Pieces {
        Piece::ALL.into_iter().collect()
    }

    /// This set and `piece`.
    #[must_use]
    pub fn with(self, piece: Piece) -> Pieces {
        Pieces(self.0 | piece.bit())
    }

    /// This set but `piece`.
    #[must_use]
    pub fn except(self, piece: Piece) -> Pieces {
        Pieces(self.0 & !piece.bit())
    }

    /// Whether `piece` is in it.
    pub fn contains(self, piece: Piece) -> bool {
        self.0 & piece.bit() != 0
    }

    /// The pieces in order.
    pub fn iter(self) -> impl Iterator<Item = Piece> {
        Piece::ALL.into_iter().filter(move |piece| self.contains(*piece))
    }
}

impl FromIterator<Piece> for Pieces {
    fn from_iter<T: IntoIterator<Item = Piece>>(pieces: T) -> Pieces {
        pieces.into_iter().fold(Pieces::NONE, Pieces::with)
    }
}

impl fmt::Display for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Piece::name).collect();
        f.write_str(&names.join(","))
    }
}

/// A word that names no piece.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no piece of the jail; the pieces are {all}", all = Pieces::all())]
pub struct UnknownPiece(pub String);

impl FromStr for Pieces {
    type Err = UnknownPiece;

    fn from_str(text: &str) -> Result<Pieces, UnknownPiece> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let known = |word: &str| Piece::ALL.into_iter().find(|piece| piece.name() == word);
        words.map(|word| known(word).ok_or_else(|| UnknownPiece(word.into()))).collect()
    }
}

#[cfg(test)]
mod tests;
