//! What can go wrong on the way into a jail, on either side.

use std::io;

use crate::control::MAX_GIVEN;
use crate::piece::{Piece, WITHOUT_FLAG};

/// The jail could not be entered; the process must end.
#[derive(Debug, thiserror::Error)]
pub enum JailError {
    /// The kernel refused a piece, or does not have it.
    #[error(
        "the jail's piece `{piece}` is not to be had: {doing}: {source}{why}. To go without it: {WITHOUT_FLAG} {piece}"
    )]
    Piece {
        /// The piece.
        piece: Piece,
        /// The step that failed.
        doing: &'static str,
        /// What the kernel said.
        source: io::Error,
        /// The reason as far as it can be told, beginning with a separator; else empty.
        why: &'static str,
    },
    /// Some pieces bind one thread only, so a second one would stay outside.
    #[error("the jail is entered with {count} threads: it must be entered before the second one starts")]
    Threads {
        /// Threads of the process.
        count: usize,
    },
    /// A descriptor is open that is on no list.
    #[error("descriptor {fd} ({target}) is open and the jail's list does not have it")]
    Stray {
        /// The descriptor.
        fd: i32,
        /// What it leads to, as `/proc` tells it.
        target: String,
    },
    /// A process cannot move itself into a process id namespace.
    #[error("the piece `pid` needs a process that was started for it")]
    PidNeedsLaunch,
    /// A look into `/proc` failed.
    #[error("looking at {what}: {source}")]
    Look {
        /// What was looked at.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The main process could not be told.
    #[error("telling the main process: {0}")]
    Tell(#[source] io::Error),
}

/// A worker could not be started, or did not get into its jail.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A step of the main process failed.
    #[error("starting the {role} process: {doing}: {source}")]
    Step {
        /// The worker's role.
        role: String,
        /// The step.
        doing: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// More descriptors than a worker is given.
    #[error(
        "the {role} process would need {count} descriptors for its devices, and a process is given at most {MAX_GIVEN}"
    )]
    Descriptors {
        /// The worker's role.
        role: String,
        /// How many it was to have.
        count: usize,
    },
    /// The worker said why it gave up.
    #[error("the {role} process gave up: {reason}")]
    Refused {
        /// The worker's role.
        role: String,
        /// Its words.
        reason: String,
    },
    /// The worker ended, or was silent for too long, without saying why.
    #[error("the {role} process {what}")]
    Silent {
        /// The worker's role.
        role: String,
        /// What happened instead.
        what: String,
    },
}

/// A worker's start failed before its jail; the main process has been told.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The command line is not one that the main process writes.
    #[error("this command line is for worker processes, which the program starts itself")]
    CommandLine,
    /// A step failed.
    #[error("{doing}: {source}")]
    Step {
        /// The step.
        doing: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel did not hand over all descriptors.
    #[error("not all of its descriptors arrived: the limit of open files (`ulimit -n`) is too low")]
    TooManyOpen,
    /// The user or process id namespace failed.
    #[error(transparent)]
    Jail(#[from] JailError),
}
