//! The start of a worker, in the worker: the first thing that `main` does.
//!
//! A process cannot move into a new process id namespace, only its children are in it. So the process that was started makes the
//! namespaces, starts the program once more as a *sibling* (a child of the main process, which can therefore wait for it), hands its
//! pidfd over, and ends. The second process is number 1 of its namespace.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::channel::Channel;
use crate::control;
use crate::enter::{self, JailSpec};
use crate::error::{JailError, StartError};
use crate::limits::Limits;
use crate::piece::{Piece, Pieces};
use crate::seccomp::{Denials, Policy};
use crate::spawn::{Stage, Words};
use crate::worker::ABORTED;
use crate::{namespaces, raw};

/// Exit code of a worker in which a thread panicked; the code that Rust gives when it is the first thread.
const PANICKED: i32 = 101;

/// What a worker starts with.
#[derive(Debug)]
pub struct Start {
    /// The role it was launched with.
    pub role: String,
    /// Its words.
    pub args: Vec<String>,
    /// The application's channel to the main process.
    pub channel: Channel,
    /// Its descriptors in the order in which they were given.
    pub descriptors: Vec<OwnedFd>,
    /// The way into the jail.
    pub entrance: Entrance,
}

/// The way into the jail, to be taken once.
#[derive(Debug)]
pub struct Entrance {
    control: Channel,
    without: Pieces,
    denials: Denials,
}

/// The start of a worker; `None` in any other process. To be called first in `main`: it closes every descriptor above 2, and it may end
/// the process (the worker then goes on in another). From here on a panic on any thread of the worker ends it at once: a device
/// that has lost a thread is no device, and whoever watches the process sees to the rest.
///
/// On an error the main process has been told; print nothing and exit.
pub fn worker_start() -> Result<Option<Start>, StartError> {
    match Words::read(std::env::args_os().skip(1)) {
        None => Ok(None),
        Some(Err(())) => Err(StartError::CommandLine),
        Some(Ok(words)) => start(words).map(Some),
    }
}

fn start(words: Words) -> Result<Start, StartError> {
    let step = |doing| move |source: io::Error| StartError::Step { doing, source };
    end_on_panic();
    raw::exit_on_abort::<ABORTED>().map_err(step("installing the handler of SIGABRT"))?;
    raw::close_from_three().map_err(step("closing inherited descriptors"))?;
    // Descriptor 0, so that the standard library's Command can pass it; a worker reads no standard input.
    let control = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3);
    let control = Channel::from(control.map_err(|e| step("taking the control channel")(e.into()))?);
    let result = match words.stage {
        Stage::Outer => separate(&words, &control),
        Stage::Inner => Ok(()),
    };
    let first = result
        .and_then(|()| take_descriptors(&control))
        .inspect_err(|error| control::tell_error(&control, error))?;
    Ok(Start {
        role: words.role,
        args: words.args,
        channel: first.0,
        descriptors: first.1,
        entrance: Entrance { control, without: words.without, denials: words.denials },
    })
}

fn end_on_panic() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        std::process::exit(PANICKED)
    }));
}

/// User and process id namespaces. Does not return when the worker goes on in another process.
fn separate(words: &Words, control: &Channel) -> Result<(), StartError> {
    if !words.without.contains(Piece::User) {
        namespaces::enter_user()?;
    }
    let tell = |source| StartError::Jail(JailError::Tell(source));
    if words.without.contains(Piece::Pid) {
        return control::tell_same(control).map_err(tell);
    }
    namespaces::enter_pid(words.without)?;
    let inner = Words { stage: Stage::Inner, ..words.clone() };
    let program = format!("worker {}", words.role);
    let argv: Result<Vec<CString>, _> =
        [program].into_iter().chain(inner.write()).map(CString::new).collect();
    let argv = argv.map_err(|_| StartError::CommandLine)?;
    let argv: Vec<_> = argv.iter().map(CString::as_c_str).collect();
    let sibling = raw::sibling(&argv).map_err(|source| JailError::Piece {
        piece: Piece::Pid,
        doing: "starting the first process of a process id namespace",
        source,
        why: "",
    })?;
    control::tell_moved(control, sibling.pid, sibling.pidfd.as_fd()).map_err(tell)?;
    std::process::exit(0)
}

/// The application's channel and the worker's descriptors; standard input leads to /dev/null from here on.
fn take_descriptors(control: &Channel) -> Result<(Channel, Vec<OwnedFd>), StartError> {
    let step = |doing| move |source: io::Error| StartError::Step { doing, source };
    let null = std::fs::File::open("/dev/null").map_err(step("opening /dev/null"))?;
    rustix::stdio::dup2_stdin(&null).map_err(|e| step("closing the standard input")(e.into()))?;
    let taken = control::take(control).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => StartError::TooManyOpen,
        _ => step("taking its descriptors")(error),
    });
    taken?.ok_or(StartError::CommandLine)
}

impl Entrance {
    /// The jail that the main process asked for: `without` and `denials` are its.
    pub fn spec(&self, policy: Policy, limits: Limits) -> JailSpec {
        JailSpec { limits, without: self.without, denials: self.denials, ..JailSpec::new(policy) }
    }

    /// Enters the jail, and tells the main process how it went. On an error: exit.
    pub fn enter(self, spec: &JailSpec) -> Result<(), JailError> {
        let mut spec = spec.clone();
        if let Some(keep) = &mut spec.keep {
            keep.push(self.control.as_raw_fd());
        }
        let told = enter::enter_rest(&spec).and_then(|entered| {
            let listener = entered.listener.as_ref().map(AsFd::as_fd);
            control::tell_jailed(&self.control, listener).map_err(JailError::Tell)
        });
        told.inspect_err(|error| control::tell_error(&self.control, error))
    }

    /// Gives up before the jail; the main process is told why.
    pub fn give_up(self, error: &dyn std::error::Error) {
        control::tell_error(&self.control, error);
    }
}
