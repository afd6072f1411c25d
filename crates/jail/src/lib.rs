//! Worker processes: started by re-executing the program, jailed by the kernel, watched until they end.
//!
//! The main process starts a worker with [`Launch`]; the worker's `main` begins with [`worker_start`], opens what it must, and calls
//! [`Entrance::enter`] while it has one thread. [`Children`] tells when a worker has ended. Every piece of the jail can be absent from
//! a kernel: then entering fails and names the piece ([`Piece`]), and nothing goes on half jailed unless the user said so.
//!
//! This crate knows no device: what a role does with its descriptors is the caller's.
// UNSAFETY: clone, close_range, seccomp and its listener have no safe wrapper; each block says why it is sound.
#![allow(unsafe_code)]

mod caps;
mod channel;
mod children;
mod control;
mod denied;
mod enter;
mod error;
mod keep;
mod launch;
mod limits;
mod namespaces;
mod paths;
mod piece;
#[cfg(test)]
mod policy;
mod raw;
mod root;
mod seccomp;
mod spawn;
mod start;
mod syscalls;
mod worker;

pub use channel::{Channel, MAX_DESCRIPTORS, MAX_MESSAGE, Message};
pub use children::{ChildId, Children, Death};
pub use control::MAX_GIVEN;
pub use denied::{DeniedCall, DeniedCalls};
pub use enter::{Entered, JailSpec, enter};
pub use error::{JailError, LaunchError, StartError};
pub use launch::Launch;
pub use limits::Limits;
pub use piece::{Piece, Pieces, UnknownPiece, WITHOUT_FLAG};
pub use seccomp::{Condition, Denials, Policy, Rule, Test, Verdict};
pub use start::{Entrance, Start, worker_start};
pub use syscalls::{syscall_name, syscall_number};
pub use worker::{Ending, Worker};
