//! Messages with descriptors between the processes of one machine.
//!
//! A message is a length, the value's bytes, and up to [`MAX_FDS`] descriptors that travel with the length. Whatever the
//! other side sends is bounded and parsed; a side that breaks the format, stalls past the limit or goes away makes every
//! later call fail, so that a taken-over process cannot confuse or hold up its peer.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of one message at most.
pub const MAX_MESSAGE: usize = 8 << 20;
/// Descriptors of one message at most.
pub const MAX_FDS: usize = 64;

/// One end of a connection between two processes.
#[derive(Debug)]
pub struct Tube {
    stream: UnixStream,
}

/// A message as it came in.
#[derive(Debug)]
pub struct Received<T> {
    /// The value.
    pub value: T,
    /// Descriptors that came with it, in the order they were sent.
    pub fds: Vec<OwnedFd>,
}

impl Tube {
    /// Two connected ends.
    pub fn pair() -> io::Result<(Tube, Tube)> {
        let (one, other) = UnixStream::pair()?;
        Ok((Tube { stream: one }, Tube { stream: other }))
    }

    /// An end that came over another tube.
    pub fn from_fd(fd: OwnedFd) -> Tube {
        Tube { stream: UnixStream::from(fd) }
    }

    /// Fails calls that wait longer than this for the other side.
    pub fn set_limit(&self, limit: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(limit))?;
        self.stream.set_write_timeout(Some(limit))
    }

    /// Sends `value` with descriptors.
    pub fn send<T: Serialize>(&self, value: &T, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = postcard::to_allocvec(value).map_err(io::Error::other)?;
        if bytes.len() > MAX_MESSAGE || fds.len() > MAX_FDS {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let head = (bytes.len() as u32).to_le_bytes();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let sent = sendmsg(&self.stream, &[IoSlice::new(&head)], &mut control, SendFlags::NOSIGNAL)?;
        let rest = head.get(sent..).unwrap_or_default();
        let mut stream = &self.stream;
        stream.write_all(rest)?;
        stream.write_all(&bytes)
    }

    /// Receives a message; an error when the other side is gone.
    pub fn receive<T: DeserializeOwned>(&self) -> io::Result<Received<T>> {
        let mut head = [0; 4];
        let (got, fds) = self.receive_head(&mut head)?;
        let mut stream = &self.stream;
        stream.read_exact(head.get_mut(got..).unwrap_or_default())?;
        let len = u32::from_le_bytes(head) as usize;
        if len > MAX_MESSAGE {
            return Err(self.broken("a message that is too long"));
        }
        // Grows as bytes come in: a length alone costs nothing.
        let mut bytes = Vec::new();
        stream.take(len as u64).read_to_end(&mut bytes)?;
        if bytes.len() != len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let value = postcard::from_bytes(&bytes).map_err(|_| self.broken("a message that makes no sense"))?;
        Ok(Received { value, fds })
    }

    fn receive_head(&self, head: &mut [u8; 4]) -> io::Result<(usize, Vec<OwnedFd>)> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let got = loop {
            match recvmsg(&self.stream, &mut [IoSliceMut::new(head)], &mut control, flags) {
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(got) => break got.bytes,
            }
        };
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut fds = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                fds.extend(rights);
            }
        }
        Ok((got, fds))
    }

    /// Ends the connection: the two sides no longer agree where a message starts.
    fn broken(&self, what: &'static str) -> io::Error {
        drop(self.stream.shutdown(std::net::Shutdown::Both));
        io::Error::new(io::ErrorKind::InvalidData, what)
    }

    /// Sends a question and waits for its answer. After an error the connection is over.
    pub fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        question: &Q,
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<Received<A>> {
        let answer = self.send(question, fds).and_then(|()| self.receive());
        if answer.is_err() {
            drop(self.stream.shutdown(std::net::Shutdown::Both));
        }
        answer
    }
}

impl AsFd for Tube {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl AsRawFd for Tube {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}

impl From<Tube> for OwnedFd {
    fn from(tube: Tube) -> OwnedFd {
        tube.stream.into()
    }
}

#[cfg(test)]
mod tests;
