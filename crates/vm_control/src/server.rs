//! The loop that answers clients, for a thread of its own.
//!
//! No client can hold it up: reads and writes never block, requests and replies are bounded, and so is the number of
//! clients (a new one takes the place of the one that has been quiet longest).

use std::io;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};

use crate::connection::{Connection, Received};
use crate::listener::Listener;
use crate::message::{Reply, Request};

/// Clients served at a time.
const MOST_CLIENTS: usize = 8;

/// Answers clients with `handle` until `stop` can be read or its other end is closed. `handle` must not wait for the
/// guest.
pub fn serve(
    listener: &Listener,
    stop: &impl AsFd,
    mut handle: impl FnMut(Request) -> Reply,
) -> io::Result<()> {
    // Oldest activity first.
    let mut clients: Vec<Connection> = Vec::new();
    loop {
        let ready = wait(listener, stop, &clients)?;
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
            admit(listener, &mut clients)?;
        }
    }
}

/// Which of stop event, listener and each client is ready, in that order; empty after a signal.
fn wait(listener: &Listener, stop: &impl AsFd, clients: &[Connection]) -> io::Result<Vec<bool>> {
    let mut watched = vec![PollFd::new(stop, PollFlags::IN), PollFd::new(listener, PollFlags::IN)];
    for client in clients {
        let flags = if client.sending() { PollFlags::OUT } else { PollFlags::IN };
        watched.push(PollFd::from_borrowed_fd(client.as_fd(), flags));
    }
    match poll(&mut watched, None) {
        Ok(_) => Ok(watched.iter().map(|fd| !fd.revents().is_empty()).collect()),
        Err(rustix::io::Errno::INTR) => Ok(Vec::new()),
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

fn admit(listener: &Listener, clients: &mut Vec<Connection>) -> io::Result<()> {
    while let Some(client) = listener.accept()? {
        if clients.len() >= MOST_CLIENTS {
            clients.remove(0);
        }
        clients.push(client);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
