//! Calls on a socket that together end at a given time.
//!
//! Without a deadline the calls block by themselves; with one they never block, and waiting is a matter of its own.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

/// When an exchange is to be over, if ever.
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// So long from now; a time beyond what the clock can tell is never.
    pub fn after(limit: Option<Duration>) -> Deadline {
        Deadline(limit.and_then(|limit| Instant::now().checked_add(limit)))
    }

    /// Flags for the calls given to [`Deadline::write`].
    pub fn send_flags(&self) -> SendFlags {
        if self.0.is_some() { SendFlags::DONTWAIT } else { SendFlags::empty() }
    }

    /// Flags for the calls given to [`Deadline::read`].
    pub fn receive_flags(&self) -> RecvFlags {
        if self.0.is_some() { RecvFlags::DONTWAIT } else { RecvFlags::empty() }
    }

    /// Sends once there is room. A socket has room but for a side that does not read: no need to ask before.
    pub fn write(
        &self,
        stream: &UnixStream,
        call: impl FnMut() -> Result<usize, Errno>,
    ) -> io::Result<usize> {
        self.repeat(stream, PollFlags::OUT, call)
    }

    /// Receives once there is something; no bytes are the other side's end, an error.
    pub fn read(&self, stream: &UnixStream, call: impl FnMut() -> Result<usize, Errno>) -> io::Result<usize> {
        match self.repeat(stream, PollFlags::IN, call)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            len => Ok(len),
        }
    }

    /// Calls until it need not wait for `what`.
    fn repeat(
        &self,
        stream: &UnixStream,
        what: PollFlags,
        mut call: impl FnMut() -> Result<usize, Errno>,
    ) -> io::Result<usize> {
        loop {
            match call() {
                Err(Errno::AGAIN) => self.wait(stream, what)?,
                Err(Errno::INTR) => {}
                done => return Ok(done?),
            }
        }
    }

    /// Waits until something can be received, where [`Deadline::read`] would call in vain first.
    pub fn await_bytes(&self, stream: &UnixStream) -> io::Result<()> {
        if self.0.is_some() { self.wait(stream, PollFlags::IN) } else { Ok(()) }
    }

    fn wait(&self, stream: &UnixStream, what: PollFlags) -> io::Result<()> {
        let left = self.0.map(|end| end.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(stream, what)], left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}
