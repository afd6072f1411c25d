//! Waiting for several descriptors at once, each with a token.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::event::epoll;

/// A descriptor that became ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The token it was added with.
    pub token: u64,
    /// Bytes or an event can be read.
    pub readable: bool,
    /// The other side is gone, or the descriptor has failed.
    pub hung_up: bool,
}

/// An epoll descriptor; level-triggered.
pub struct Poller {
    epoll: std::os::fd::OwnedFd,
}

impl Poller {
    /// An empty set.
    pub fn new() -> io::Result<Poller> {
        Ok(Poller { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)? })
    }

    /// Watches `fd` for input under `token`.
    pub fn add(&self, fd: &impl AsRawFd, token: u64) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, borrow(fd), epoll::EventData::new_u64(token), epoll::EventFlags::IN)?)
    }

    /// Stops watching `fd`.
    pub fn remove(&self, fd: &impl AsRawFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, borrow(fd))?)
    }

    /// Waits until something is ready, for ever when `timeout_ms` is `None`; a signal ends the wait with nothing ready.
    pub fn wait(&mut self, timeout_ms: Option<u32>) -> io::Result<Vec<Ready>> {
        let mut events = [const { MaybeUninit::<epoll::Event>::uninit() }; 16];
        let timeout = timeout_ms.map(|ms| rustix::event::Timespec {
            tv_sec: i64::from(ms / 1000),
            tv_nsec: i64::from(ms % 1000) * 1_000_000,
        });
        match epoll::wait(&self.epoll, &mut events, timeout.as_ref()) {
            Ok((events, _)) => Ok(events.iter().map(ready).collect()),
            Err(rustix::io::Errno::INTR) => Ok(Vec::new()),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// The descriptor of `owner` for the length of one call.
fn borrow(owner: &impl AsRawFd) -> BorrowedFd<'_> {
    // SAFETY: the descriptor is only handed to epoll, which answers EBADF to one that is not open.
    unsafe { BorrowedFd::borrow_raw(owner.as_raw_fd()) }
}

fn ready(event: &epoll::Event) -> Ready {
    // The structure is packed on x86_64: copy the fields out, take no reference.
    let (flags, data) = (event.flags, event.data);
    Ready {
        token: data.u64(),
        readable: flags.contains(epoll::EventFlags::IN),
        hung_up: flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR),
    }
}
