//! The calls that a policy does not list, told by name while the worker goes on (`--seccomp-log-failures`).
//!
//! The kernel stops the worker at such a call and asks this end; the answer is always "carry it out". It is for writing policies and
//! no protection: a call that goes on may do anything.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, poll};

use crate::{raw, syscalls};

/// A worker that does new wrong things for ever fills no log.
const MOST: usize = 256;

/// The denied calls of one worker.
#[derive(Debug)]
pub struct DeniedCalls {
    role: String,
    listener: OwnedFd,
}

/// One call that the policy does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeniedCall {
    /// The worker's role.
    pub role: String,
    /// Its number.
    pub number: i64,
    /// Its arguments as they were in the registers.
    pub args: [u64; 6],
}

impl DeniedCall {
    /// The name of the call; `None` when it is newer than the table.
    pub fn name(&self) -> Option<&'static str> {
        syscalls::syscall_name(self.number)
    }
}

impl fmt::Display for DeniedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DeniedCall { role, number, args: [a, b, c, d, ..] } = self;
        let name = self.name().unwrap_or("an unknown system call");
        write!(
            f,
            "{role}: the policy does not allow {name} ({number}) with {a:#x}, {b:#x}, {c:#x}, {d:#x}, …; carried out"
        )
    }
}

impl DeniedCalls {
    pub(crate) fn new(role: String, listener: OwnedFd) -> DeniedCalls {
        DeniedCalls { role, listener }
    }

    /// Waits for the next denied call and lets it be carried out; `None` when the worker has ended.
    pub fn next_call(&mut self) -> io::Result<Option<DeniedCall>> {
        loop {
            let mut fds = [PollFd::new(&self.listener, PollFlags::IN)];
            match poll(&mut fds, None) {
                Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
            let [ready] = fds.map(|fd| fd.revents());
            if !ready.contains(PollFlags::IN) {
                return Ok(None);
            }
            match self.answer() {
                // The caller was killed while it waited.
                Err(e)
                    if e.raw_os_error() == Some(libc::ENOENT) || e.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map(Some),
            }
        }
    }

    fn answer(&self) -> io::Result<DeniedCall> {
        let call = raw::next_denied(self.listener.as_fd())?;
        raw::let_pass(self.listener.as_fd(), call.id)?;
        Ok(DeniedCall { role: self.role.clone(), number: call.data.nr.into(), args: call.data.args })
    }

    /// Tells each call once (calls with the same first two flag-like arguments count as one) in a thread of its own, which ends with
    /// the worker.
    pub fn tell(mut self, tell: impl Fn(&DeniedCall) + Send + 'static) -> io::Result<JoinHandle<()>> {
        let name = format!("denied {}", self.role);
        std::thread::Builder::new().name(name).spawn(move || {
            let mut told = BTreeSet::new();
            loop {
                match self.next_call() {
                    Ok(Some(call)) if told.len() < MOST && told.insert((call.number, key(&call))) => {
                        tell(&call)
                    }
                    Ok(Some(_)) => {}
                    Ok(None) => return,
                    Err(e) => return log::warn!("{}: listening for denied calls: {e}", self.role),
                }
            }
        })
    }
}

/// The argument that tells two uses of one call apart; descriptors and addresses would make each use a new one.
fn key(call: &DeniedCall) -> u64 {
    match (call.name(), call.args) {
        (Some("ioctl" | "fcntl" | "futex"), [_, request, ..]) => request & 0xffff_ffff,
        (Some("prctl" | "socket" | "clone"), [option, ..]) => option,
        (Some("mmap" | "mprotect" | "madvise" | "tgkill"), [_, _, flags, ..]) => flags,
        _ => 0,
    }
}
