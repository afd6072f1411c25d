//! Messages with descriptors between the processes of one machine.
//!
//! A message is a length, the value's bytes, and up to [`MAX_FDS`] descriptors that travel with the length. Whatever the
//! other side sends is bounded and parsed; a side that breaks the format, stalls past the limit or goes away makes every
//! later call fail, so that a taken-over process cannot confuse or hold up its peer. A limit is for the whole of an
//! exchange: bytes that come one by one do not prolong it.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recv, recvmsg, send, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use deadline::Deadline;

mod deadline;

/// Bytes of one message at most.
pub const MAX_MESSAGE: usize = 8 << 20;
/// Descriptors of one message at most.
pub const MAX_FDS: usize = 64;
/// Memory that a message takes at a time while its bytes come in.
const PIECE: usize = 64 << 10;

/// One end of a connection between two processes.
#[derive(Debug)]
pub struct Tube {
    stream: UnixStream,
    limit: Option<Duration>,
}

/// What an answer must keep to.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long the exchange may take; as long as the tube's own limit when that is longer.
    pub limit: Duration,
    /// Bytes of the answer at most.
    pub most: usize,
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
        Ok((Tube { stream: one, limit: None }, Tube { stream: other, limit: None }))
    }

    /// An end that came over another tube.
    pub fn from_fd(fd: OwnedFd) -> Tube {
        Tube { stream: UnixStream::from(fd), limit: None }
    }

    /// The same, whose calls fail when the other side lets them wait longer than this.
    pub fn with_limit(self, limit: Duration) -> Tube {
        Tube { limit: Some(limit), ..self }
    }

    /// Sends `value` with descriptors.
    pub fn send<T: Serialize>(&self, value: &T, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.send_until(&Deadline::after(self.limit), value, fds)
    }

    /// Receives a message; an error when the other side is gone.
    pub fn receive<T: DeserializeOwned>(&self) -> io::Result<Received<T>> {
        self.receive_until(&Deadline::after(self.limit), MAX_MESSAGE)
    }

    /// Sends a question and waits for its answer. After an error the connection is over.
    pub fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        question: &Q,
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<Received<A>> {
        self.exchange(&Deadline::after(self.limit), MAX_MESSAGE, question, fds)
    }

    /// The same on other terms: for an answer that is known to be short, or may come late. On a tube without a limit time
    /// does not matter.
    pub fn ask_on<Q: Serialize, A: DeserializeOwned>(
        &self,
        terms: Terms,
        question: &Q,
    ) -> io::Result<Received<A>> {
        let limit = self.limit.map(|limit| limit.max(terms.limit));
        self.exchange(&Deadline::after(limit), terms.most.min(MAX_MESSAGE), question, &[])
    }

    fn exchange<Q: Serialize, A: DeserializeOwned>(
        &self,
        deadline: &Deadline,
        most: usize,
        question: &Q,
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<Received<A>> {
        let sent = self.send_until(deadline, question, fds);
        let answer = sent.and_then(|()| self.receive_until(deadline, most));
        if answer.is_err() {
            drop(self.stream.shutdown(std::net::Shutdown::Both));
        }
        answer
    }

    fn send_until<T: Serialize>(
        &self,
        deadline: &Deadline,
        value: &T,
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        // Room for the length, which is known last.
        let mut bytes = postcard::to_extend(value, vec![0; 4]).map_err(io::Error::other)?;
        let len = bytes.len() - 4;
        if len > MAX_MESSAGE || fds.len() > MAX_FDS {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        bytes[..4].copy_from_slice(&(len as u32).to_le_bytes());
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let flags = SendFlags::NOSIGNAL | deadline.send_flags();
        let mut sent = deadline
            .write(&self.stream, || sendmsg(&self.stream, &[IoSlice::new(&bytes)], &mut control, flags))?;
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            sent += deadline.write(&self.stream, || send(&self.stream, rest, flags))?;
        }
        Ok(())
    }

    fn receive_until<T: DeserializeOwned>(
        &self,
        deadline: &Deadline,
        most: usize,
    ) -> io::Result<Received<T>> {
        let mut head = [0; 4];
        let (got, fds) = self.receive_head(deadline, &mut head)?;
        self.fill(deadline, head.get_mut(got..).unwrap_or_default())?;
        let len = u32::from_le_bytes(head) as usize;
        if len > most {
            return Err(self.broken("a message that is too long"));
        }
        // Grows as bytes come in: a length alone costs nothing.
        let mut bytes = Vec::new();
        while bytes.len() < len {
            let got = bytes.len();
            bytes.resize(len.min(got + PIECE), 0);
            self.fill(deadline, bytes.get_mut(got..).unwrap_or_default())?;
        }
        let value = postcard::from_bytes(&bytes).map_err(|_| self.broken("a message that makes no sense"))?;
        Ok(Received { value, fds })
    }

    fn receive_head(&self, deadline: &Deadline, head: &mut [u8; 4]) -> io::Result<(usize, Vec<OwnedFd>)> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | deadline.receive_flags();
        // An answer is seldom there at once.
        deadline.await_bytes(&self.stream)?;
        let got = deadline.read(&self.stream, || {
            Ok(recvmsg(&self.stream, &mut [IoSliceMut::new(&mut *head)], &mut control, flags)?.bytes)
        })?;
        let mut fds = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                fds.extend(rights);
            }
        }
        Ok((got, fds))
    }

    /// Receives all of `bytes`.
    fn fill(&self, deadline: &Deadline, mut bytes: &mut [u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let flags = deadline.receive_flags();
            let got = deadline.read(&self.stream, || Ok(recv(&self.stream, &mut *bytes, flags)?.0))?;
            bytes = bytes.get_mut(got..).unwrap_or_default();
        }
        Ok(())
    }

    /// Ends the connection: the two sides no longer agree where a message starts.
    fn broken(&self, what: &'static str) -> io::Error {
        drop(self.stream.shutdown(std::net::Shutdown::Both));
        io::Error::new(io::ErrorKind::InvalidData, what)
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
