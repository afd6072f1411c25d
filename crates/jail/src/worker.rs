//! A running worker, as the main process holds it.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, pidfd_send_signal, waitid};

use crate::channel::Channel;
use crate::error::LaunchError;

/// Exit status of a worker that called abort(): a shell's number for SIGABRT.
pub(crate) const ABORTED: i32 = 128 + libc::SIGABRT;

/// A worker process. Dropping it kills the process and waits for its end.
#[derive(Debug)]
pub struct Worker {
    role: String,
    pid: Pid,
    /// Readable when the process has ended.
    pidfd: OwnedFd,
    channel: Channel,
    control: Channel,
    ending: Option<Ending>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this status.
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// Somebody else asked first: the status is lost.
    Unknown,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Exited(ABORTED) => f.write_str("it aborted"),
            Ending::Exited(status) => write!(f, "it exited with status {status}"),
            Ending::Killed(libc::SIGSYS) => f.write_str(
                "it made a system call that its policy does not allow (--seccomp-log-failures tells which)",
            ),
            Ending::Killed(signal) => write!(f, "signal {signal} killed it"),
            Ending::Unknown => f.write_str("its status is lost"),
        }
    }
}

impl Worker {
    pub(crate) fn new(role: String, pid: Pid, pidfd: OwnedFd, channel: Channel, control: Channel) -> Worker {
        Worker { role, pid, pidfd, channel, control, ending: None }
    }

    /// The role that it was started with.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Its number in the main process's namespace.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// The application's channel to it.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    pub(crate) fn control(&self) -> &Channel {
        &self.control
    }

    /// The worker goes on in another child of ours; the process that started it has nothing left to do.
    pub(crate) fn follow(&mut self, pid: Pid, pidfd: OwnedFd) -> Result<(), LaunchError> {
        let starter = std::mem::replace(&mut self.pidfd, pidfd);
        self.pid = pid;
        let waited = wait(&starter);
        waited.map(drop).map_err(|source| LaunchError::Step {
            role: self.role.clone(),
            doing: "waiting for the process that started it",
            source,
        })
    }

    /// Ends the process at once.
    pub fn kill(&self) -> io::Result<()> {
        Ok(pidfd_send_signal(&self.pidfd, Signal::KILL)?)
    }

    /// Waits for the end of the process.
    pub fn wait(&mut self) -> io::Result<Ending> {
        if let Some(ending) = self.ending {
            return Ok(ending);
        }
        let ending = wait(&self.pidfd)?;
        self.ending = Some(ending);
        Ok(ending)
    }

    pub(crate) fn kill_and_wait(&mut self) -> Ending {
        if self.ending.is_none() && self.kill().is_err() {
            // Gone already; its status is still to be had.
        }
        self.wait().unwrap_or(Ending::Unknown)
    }
}

fn wait(pidfd: &OwnedFd) -> io::Result<Ending> {
    let status = loop {
        match waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED) {
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::CHILD) => return Ok(Ending::Unknown),
            other => break other?,
        }
    };
    Ok(status.as_ref().and_then(ending).unwrap_or(Ending::Unknown))
}

fn ending(status: &WaitIdStatus) -> Option<Ending> {
    status.exit_status().map(Ending::Exited).or_else(|| status.terminating_signal().map(Ending::Killed))
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill_and_wait();
    }
}

/// The pidfd: readable when the process has ended.
impl AsFd for Worker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl AsRawFd for Worker {
    fn as_raw_fd(&self) -> RawFd {
        self.pidfd.as_raw_fd()
    }
}
