//! The loop that answers clients, for a thread of its own.
//!
//! No client can hold it up: reads and writes never block, requests and replies are bounded, and so is the number of
//! clients (a new one takes the place of the one that has been quiet longest).

use std::io;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::connection::{Connection, Received};
use crate::listener::Listener;
use crate::message::{Reply, Request};

/// Clients served at a time.
const MOST_CLIENTS: usize = 8;
/// How long nobody is admitted after the host had no descriptor for a client: it waits, and the loop must not spin.
const PAUSE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Answers clients with `handle` until `stop` can be read or its other end is closed. `handle` must not wait for the
/// guest.
pub fn serve(
    listener: &Listener,
    stop: &impl AsFd,
    mut handle: impl FnMut(Request) -> Reply,
) -> io::Result<()> {
    // Oldest activity first.
    let mut clients: Vec<Connection> = Vec::new();
    let mut crowded = false;
    loop {
        let ready = wait(listener, stop, &clients, crowded)?;
        crowded = false;
        let [stopped, knocked, of_clients @ ..] = ready.as_slice() else { continue };
        if *stopped {
            return Ok(());
        }
        let mut quiet = Vec::new();
        let mut active = Vec::new();
        for (mut client, ready) in clients.drain(..).zip(of_clients) {
            if !ready {
                quiet.push(client);
            } else if turn(&mut client, &mut handle) {
                active.push(client);
            }
        }
        quiet.append(&mut active);
        clients = quiet;
        if *knocked {
            crowded = !admit(|| listener.accept(), &mut clients)?;
        }
    }
}

/// Which of stop event, listener and each client is ready, in that order; empty after a signal. While the host is `crowded`
/// nobody knocks, and the wait is short.
fn wait(
    listener: &Listener,
    stop: &impl AsFd,
    clients: &[Connection],
    crowded: bool,
) -> io::Result<Vec<bool>> {
    let knocks = if crowded { PollFlags::empty() } else { PollFlags::IN };
    let mut watched = vec![PollFd::new(stop, PollFlags::IN), PollFd::new(listener, knocks)];
    for client in clients {
        let flags = if client.sending() { PollFlags::OUT } else { PollFlags::IN };
        watched.push(PollFd::from_borrowed_fd(client.as_fd(), flags));
    }
    match poll(&mut watched, crowded.then_some(&PAUSE)) {
        Ok(_) => Ok(watched.iter().map(|fd| !fd.revents().is_empty()).collect()),
        Err(Errno::INTR) => Ok(Vec::new()),
        Err(errno) => Err(errno.into()),
    }
}

/// Serves at most one request of a client, so that the others get their turn; whether to keep the client.
fn turn(client: &mut Connection, handle: &mut impl FnMut(Request) -> Reply) -> bool {
    if client.flush().is_err() {
        return false;
    }
    let reply = match client.receive() {
        Received::Nothing => return true,
        Received::Closed => return false,
        Received::Malformed(reason) => Reply::Refused(reason),
        Received::Request(request) => handle(request),
    };
    client.reply(&reply).is_ok()
}

/// Admits who waits; whether the host had a descriptor for each. Where it had none the quietest client gives up its own, so that the
/// machine can still be stopped.
fn admit(
    mut accept: impl FnMut() -> io::Result<Option<Connection>>,
    clients: &mut Vec<Connection>,
) -> io::Result<bool> {
    loop {
        match accept() {
            Ok(None) => return Ok(true),
            Ok(Some(client)) => {
                if clients.len() >= MOST_CLIENTS {
                    clients.remove(0);
                }
                clients.push(client);
            }
            Err(error) if is_shortage(&error) => {
                if clients.is_empty() {
                    return Ok(false);
                }
                clients.remove(0);
            }
            Err(error) => return Err(error),
        }
    }
}

/// The host has run out of something that it may have again later.
fn is_shortage(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

#[cfg(test)]
mod tests;
