//! Events that travel between processes.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};

use crate::EventFd;

/// A new event, not written, that never blocks and is not inherited.
pub fn new_event() -> io::Result<EventFd> {
    EventFd::new(libc::EFD_NONBLOCK | libc::EFD_CLOEXEC)
}

/// An event whose descriptor came from another process. If it is no event, reads and writes fail or go elsewhere; nothing
/// worse.
pub fn event_from(fd: OwnedFd) -> EventFd {
    // SAFETY: the descriptor is owned, and its ownership goes into the event.
    unsafe { EventFd::from_raw_fd(fd.into_raw_fd()) }
}

/// The event's descriptor, to be sent.
pub fn event_fd(event: &EventFd) -> BorrowedFd<'_> {
    // SAFETY: the event owns the descriptor and outlives the borrow.
    unsafe { BorrowedFd::borrow_raw(event.as_raw_fd()) }
}
