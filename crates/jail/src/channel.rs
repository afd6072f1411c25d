//! Messages with descriptors between two processes: a `SOCK_SEQPACKET` pair, so a message arrives whole or not at all.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair, sockopt,
};

/// The longest message in bytes.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// The most descriptors in one message (the kernel's own limit is 253).
pub const MAX_DESCRIPTORS: usize = 64;

/// One end of the pair.
#[derive(Debug)]
pub struct Channel(OwnedFd);

/// What was received.
#[derive(Debug, Default)]
pub struct Message {
    /// The bytes, never empty.
    pub bytes: Vec<u8>,
    /// The descriptors that came with them; all are close-on-exec.
    pub descriptors: Vec<OwnedFd>,
}

impl Channel {
    /// Two connected ends, both close-on-exec.
    pub fn pair() -> io::Result<(Channel, Channel)> {
        let (one, other) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Channel(one), Channel(other)))
    }

    /// Sends one message of 1 to [`MAX_MESSAGE`] bytes with at most [`MAX_DESCRIPTORS`] descriptors.
    ///
    /// `InvalidInput` when it is empty or too long; `BrokenPipe` when the other end is gone.
    pub fn send(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        if bytes.is_empty() || bytes.len() > MAX_MESSAGE || descriptors.len() > MAX_DESCRIPTORS {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let data = [IoSlice::new(bytes)];
        rustix::io::retry_on_intr(|| sendmsg(&self.0, &data, &mut control, SendFlags::NOSIGNAL))?;
        Ok(())
    }

    /// Waits for the next message; `None` when the other end is gone.
    ///
    /// `InvalidData` when something of it was lost (a message too long, more descriptors than this process may hold): what did arrive
    /// is closed again. `WouldBlock` when the time set by [`Channel::set_timeout`] is over.
    pub fn receive(&self) -> io::Result<Option<Message>> {
        let mut bytes = vec![0; MAX_MESSAGE];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let got = loop {
            let mut data = [IoSliceMut::new(&mut bytes)];
            match recvmsg(&self.0, &mut data, &mut control, RecvFlags::CMSG_CLOEXEC) {
                // CONNRESET is told once, ahead of what is still in the queue: the other end left without reading all of its own.
                Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNRESET) => {}
                other => break other?,
            }
        };
        let mut descriptors = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                descriptors.extend(received);
            }
        }
        if got.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if got.bytes == 0 {
            return Ok(None);
        }
        bytes.truncate(got.bytes);
        Ok(Some(Message { bytes, descriptors }))
    }

    /// How long [`Channel::receive`] waits; for ever when `None`.
    pub fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Ok(sockopt::set_socket_timeout(&self.0, sockopt::Timeout::Recv, timeout)?)
    }
}

impl From<OwnedFd> for Channel {
    fn from(fd: OwnedFd) -> Channel {
        Channel(fd)
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> OwnedFd {
        channel.0
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests;
