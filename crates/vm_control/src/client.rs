//! The side that asks: one connection, one request at a time, never an endless wait.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::ControlError;
use crate::line::LineBuffer;
use crate::message::{MAX_REPLY, Reply, Request};

/// Longest wait for any progress on the socket.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to a running machine.
pub struct Client {
    path: PathBuf,
    stream: UnixStream,
    inbox: LineBuffer,
    patience: Duration,
}

impl Client {
    /// Connects to the machine that listens at `path`.
    pub fn connect(path: &Path) -> Result<Client, ControlError> {
        Client::with_patience(path, PATIENCE)
    }

    /// As [`Client::connect`], giving up after `patience` without a byte.
    pub(crate) fn with_patience(path: &Path, patience: Duration) -> Result<Client, ControlError> {
        let stream = UnixStream::connect(path).map_err(|source| explain(path, source))?;
        let limits =
            stream.set_read_timeout(Some(patience)).and_then(|()| stream.set_write_timeout(Some(patience)));
        limits.map_err(|source| failed("set a time limit on", path, source))?;
        Ok(Client { path: path.to_owned(), stream, inbox: LineBuffer::new(MAX_REPLY), patience })
    }

    /// Sends `request` and waits for its answer.
    pub fn ask(&mut self, request: &Request) -> Result<Reply, ControlError> {
        let mut line = serde_json::to_vec(request).map_err(|error| self.malformed(&error))?;
        line.push(b'\n');
        self.stream.write_all(&line).map_err(|source| self.lost("write to", source))?;
        let mut piece = [0; 16 << 10];
        loop {
            let line = self.inbox.take().map_err(|_| self.malformed(&"longer than any answer"))?;
            if let Some(line) = line {
                return serde_json::from_slice(&line).map_err(|error| self.malformed(&error));
            }
            match self.stream.read(&mut piece) {
                Ok(0) => return Err(ControlError::Closed { path: self.path.clone() }),
                Ok(count) => self.inbox.push(piece.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(self.lost("read from", source)),
            }
        }
    }

    fn malformed(&self, reason: &dyn ToString) -> ControlError {
        ControlError::Malformed { path: self.path.clone(), reason: reason.to_string() }
    }

    fn lost(&self, doing: &'static str, source: io::Error) -> ControlError {
        let path = self.path.clone();
        match source.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                ControlError::Silent { path, seconds: self.patience.as_secs() }
            }
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => ControlError::Closed { path },
            _ => ControlError::Io { doing, path, source },
        }
    }
}

/// A failed connect as the sentence that helps.
pub(crate) fn explain(path: &Path, source: io::Error) -> ControlError {
    let file = std::fs::symlink_metadata(path);
    let is_socket = |meta: &std::fs::Metadata| std::os::unix::fs::FileTypeExt::is_socket(&meta.file_type());
    match source.kind() {
        ErrorKind::NotFound => ControlError::Absent { path: path.to_owned() },
        ErrorKind::ConnectionRefused if file.is_ok_and(|meta| !is_socket(&meta) && !meta.is_symlink()) => {
            ControlError::NotSocket { path: path.to_owned() }
        }
        ErrorKind::ConnectionRefused => ControlError::Dead { path: path.to_owned() },
        _ => failed("connect to", path, source),
    }
}

pub(crate) fn failed(doing: &'static str, path: &Path, source: io::Error) -> ControlError {
    ControlError::Io { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
