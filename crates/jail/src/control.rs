//! What main process and worker tell each other until the worker is in its jail: one message each, by its first byte.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::{io, str};

use crate::channel::{Channel, MAX_DESCRIPTORS, Message};

/// The most descriptors that a worker is given besides its channel. The largest machine gives the virtual IOMMU's process some 530.
pub const MAX_GIVEN: usize = 768;

/// Main to worker: some of the descriptors; more messages of them follow.
const SOME: u8 = b'P';
/// Main to worker: the last of the descriptors. The first of all is the application's channel, the rest are the worker's.
const DESCRIPTORS: u8 = b'D';
/// Worker to main: goes on in the process that was started.
const SAME: u8 = b'S';
/// Worker to main: goes on in another child of main, whose pidfd is attached and whose number follows.
const MOVED: u8 = b'M';
/// Worker to main: is in the jail; the listener for denied calls may be attached.
const JAILED: u8 = b'J';
/// Worker to main: gives up; the reason follows.
const ERROR: u8 = b'E';

/// What a worker told.
#[derive(Debug)]
pub(crate) enum Told {
    Same,
    Moved { pid: i32, pidfd: OwnedFd },
    Jailed { listener: Option<OwnedFd> },
    Error(String),
}

pub(crate) fn tell_same(to: &Channel) -> io::Result<()> {
    to.send(&[SAME], &[])
}

pub(crate) fn tell_moved(to: &Channel, pid: i32, pidfd: BorrowedFd<'_>) -> io::Result<()> {
    to.send(&with(MOVED, &pid.to_string()), &[pidfd])
}

pub(crate) fn tell_jailed(to: &Channel, listener: Option<BorrowedFd<'_>>) -> io::Result<()> {
    to.send(&[JAILED], listener.as_slice())
}

/// Best effort: the worker ends next, and an end without a word is an error too.
pub(crate) fn tell_error(to: &Channel, error: &dyn std::error::Error) {
    let mut words = with(ERROR, &error.to_string());
    words.truncate(crate::channel::MAX_MESSAGE);
    if let Err(e) = to.send(&words, &[]) {
        log::error!("{error}; and the main process cannot be told: {e}");
    }
}

/// Waits for the worker's next word; `None` when it is gone.
pub(crate) fn listen(from: &Channel) -> io::Result<Option<Told>> {
    let Some(Message { bytes, descriptors }) = from.receive()? else { return Ok(None) };
    let mut descriptors = descriptors.into_iter();
    let text = str::from_utf8(bytes.get(1..).unwrap_or_default()).unwrap_or_default();
    let told = match (bytes.first(), descriptors.next()) {
        (Some(&SAME), None) => Some(Told::Same),
        (Some(&MOVED), Some(pidfd)) => text.parse().ok().map(|pid| Told::Moved { pid, pidfd }),
        (Some(&JAILED), listener) => Some(Told::Jailed { listener }),
        (Some(&ERROR), None) => Some(Told::Error(text.into())),
        _ => None,
    };
    told.map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Sends the descriptors that a worker starts with, in as many messages as it takes. There are few enough for the channel to hold.
pub(crate) fn give(to: &Channel, channel: &Channel, rest: &[OwnedFd]) -> io::Result<()> {
    let all: Vec<BorrowedFd<'_>> =
        [channel.as_fd()].into_iter().chain(rest.iter().map(AsFd::as_fd)).collect();
    let mut messages = all.chunks(MAX_DESCRIPTORS).peekable();
    while let Some(message) = messages.next() {
        to.send(&[if messages.peek().is_some() { SOME } else { DESCRIPTORS }], message)?;
    }
    Ok(())
}

/// Takes them, in their order; `None` when something else comes, or the main process is gone.
///
/// `InvalidData` when this process may not hold so many.
pub(crate) fn take(from: &Channel) -> io::Result<Option<(Channel, Vec<OwnedFd>)>> {
    let mut all = Vec::new();
    loop {
        let Some(Message { bytes, descriptors }) = from.receive()? else { return Ok(None) };
        all.extend(descriptors);
        match bytes[..] {
            [SOME] if all.len() <= MAX_GIVEN => {}
            [DESCRIPTORS] if !all.is_empty() => break,
            _ => return Ok(None),
        }
    }
    let channel = all.remove(0);
    Ok(Some((Channel::from(channel), all)))
}

fn with(kind: u8, text: &str) -> Vec<u8> {
    [&[kind], text.as_bytes()].concat()
}
