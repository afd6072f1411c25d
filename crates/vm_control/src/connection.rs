//! One client as the server sees it: bytes in, requests out, replies back, without ever waiting.
//!
//! Invariant: while a reply waits to be sent nothing more is read, so a client that does not read its answers
//! costs one reply at most. A client asks again only after the answer; one that sends more at once is dropped.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use crate::line::LineBuffer;
use crate::message::{MAX_REPLY, MAX_REQUEST, Reply, Request};

/// What came of reading.
#[derive(Debug, PartialEq)]
pub enum Received {
    /// No complete request yet.
    Nothing,
    /// A request.
    Request(Request),
    /// Bytes that are no request, and why. The connection stays in step if the line ended.
    Malformed(String),
    /// The client is gone or broke the bounds: drop the connection.
    Closed,
}

/// One client's connection; never blocks.
pub struct Connection {
    stream: UnixStream,
    inbox: LineBuffer,
    outbox: Vec<u8>,
    sent: usize,
}

impl Connection {
    /// Takes an accepted stream over and makes it non-blocking.
    pub fn new(stream: UnixStream) -> io::Result<Connection> {
        stream.set_nonblocking(true)?;
        Ok(Connection { stream, inbox: LineBuffer::new(MAX_REQUEST), outbox: Vec::new(), sent: 0 })
    }

    /// Reads what is there, up to one request.
    pub fn receive(&mut self) -> Received {
        if self.sending() {
            return Received::Nothing;
        }
        loop {
            match self.inbox.take() {
                Ok(Some(line)) if self.inbox.is_empty() => return parse(&line),
                Ok(Some(_)) => return Received::Closed,
                Ok(None) => {}
                Err(_) => return Received::Closed,
            }
            let mut piece = [0; 1024];
            match self.stream.read(&mut piece) {
                Ok(0) => return Received::Closed,
                Ok(count) => self.inbox.push(piece.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Received::Nothing,
                Err(_) => return Received::Closed,
            }
        }
    }

    /// Queues `reply` and sends what the socket takes now. An error means: drop the connection.
    pub fn reply(&mut self, reply: &Reply) -> io::Result<()> {
        let mut line = serde_json::to_vec(reply)?;
        if line.len() >= MAX_REPLY {
            line = serde_json::to_vec(&Reply::Refused("the answer is too long to be sent".to_owned()))?;
        }
        line.push(b'\n');
        self.outbox.extend_from_slice(&line);
        self.flush()
    }

    /// Sends what the socket takes now. An error means: drop the connection.
    pub fn flush(&mut self) -> io::Result<()> {
        while self.sending() {
            match self.stream.write(self.outbox.get(self.sent..).unwrap_or_default()) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.sent = self.sent.saturating_add(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.outbox.clear();
        self.sent = 0;
        Ok(())
    }

    /// Whether part of a reply waits for the client to read: watch for writability, then [`Connection::flush`].
    pub fn sending(&self) -> bool {
        self.sent < self.outbox.len()
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn parse(line: &[u8]) -> Received {
    match serde_json::from_slice(line) {
        Ok(request) => Received::Request(request),
        Err(error) => Received::Malformed(format!("not a request: {error}")),
    }
}
