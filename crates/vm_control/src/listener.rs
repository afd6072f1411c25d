//! The socket that clients connect to: private to its user, replaced when its machine is dead, gone when ours is.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, fchmod};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};

use crate::client::{explain, failed};
use crate::connection::Connection;
use crate::error::ControlError;

/// Clients that may wait to be accepted.
const BACKLOG: i32 = 8;

/// A listening control socket; its file is deleted on drop.
#[derive(Debug)]
pub struct Listener {
    path: PathBuf,
    socket: UnixListener,
}

impl Listener {
    /// Listens at `path`, readable and writable by this user only. A socket left over by a dead machine is replaced;
    /// a living one, or any other file, is not touched.
    pub fn bind(path: &Path) -> Result<Listener, ControlError> {
        if path.symlink_metadata().is_ok() {
            match UnixStream::connect(path).map_err(|source| explain(path, source)) {
                Ok(_) => return Err(ControlError::Taken { path: path.to_owned() }),
                Err(ControlError::Dead { .. }) => {
                    std::fs::remove_file(path).map_err(|source| failed("replace", path, source))?;
                }
                Err(error) => return Err(error),
            }
        }
        let socket = open(path).map_err(|source| failed("make", path, source))?;
        Ok(Listener { path: path.to_owned(), socket })
    }

    /// The next waiting client; `None` when there is none.
    pub fn accept(&self) -> io::Result<Option<Connection>> {
        match self.socket.accept() {
            Ok((stream, _)) => Connection::new(stream).map(Some),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // It may be gone already, which is just as well.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The mode is set before the file exists: the kernel gives it to the file, so nobody else can connect in between.
fn open(path: &Path) -> io::Result<UnixListener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}
