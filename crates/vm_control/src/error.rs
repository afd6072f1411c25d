//! Why talking to a machine failed, as sentences that name the socket.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A failure on the control socket.
#[derive(Debug, Error)]
pub enum ControlError {
    /// Nothing is at the path.
    #[error(
        "there is no control socket at {path:?}: start the machine with `--socket PATH`, or name the path it was started with"
    )]
    Absent {
        /// Where the socket should be.
        path: PathBuf,
    },
    /// The socket is there, its machine is not.
    #[error(
        "no machine answers at {path:?}: the one that made this socket has ended; the file can be deleted"
    )]
    Dead {
        /// The socket.
        path: PathBuf,
    },
    /// The path names something else.
    #[error("{path:?} is not a socket; it is left alone. Choose another path for the control socket")]
    NotSocket {
        /// The file.
        path: PathBuf,
    },
    /// A running machine owns the path.
    #[error(
        "another machine listens at {path:?}; choose another path, or stop that machine with `mixvm stop`"
    )]
    Taken {
        /// The socket.
        path: PathBuf,
    },
    /// The kernel refused.
    #[error("cannot {doing} the control socket {path:?}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The socket.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The machine ended the conversation without an answer.
    #[error("the machine at {path:?} closed the connection without an answer; its log may say why")]
    Closed {
        /// The socket.
        path: PathBuf,
    },
    /// The machine is there and says nothing.
    #[error("the machine at {path:?} gave no answer within {seconds} seconds; it may be stuck")]
    Silent {
        /// The socket.
        path: PathBuf,
        /// How long was waited.
        seconds: u64,
    },
    /// The answer is not one of ours.
    #[error(
        "the answer from {path:?} is not understood ({reason}): is it the control socket of a mixvm of this version?"
    )]
    Malformed {
        /// The socket.
        path: PathBuf,
        /// What was wrong.
        reason: String,
    },
}
