//! The queues of a tap device, one for each pair of the card's, and which of them carry.
//!
//! Invariant: the first always does; the host puts no packet into one that does not.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use sync::Mutex;

/// Puts a queue of a tap device to use, or out of it.
pub type TapSwitch = Arc<dyn Fn(BorrowedFd<'_>, bool) -> io::Result<()> + Send + Sync>;

/// The queues of the host's side.
pub(super) struct Pairs {
    taps: Vec<OwnedFd>,
    switch: TapSwitch,
    /// So many carry: those in front.
    carrying: Mutex<usize>,
}

impl Pairs {
    /// These, all of which carry at first; the device calls [`Pairs::use_only`] before it starts.
    pub(super) fn new(taps: Vec<OwnedFd>, switch: TapSwitch) -> Pairs {
        Pairs { carrying: Mutex::new(taps.len()), taps, switch }
    }

    pub(super) fn taps(&self) -> &[OwnedFd] {
        &self.taps
    }

    /// Lets the first `count` carry, at least one, and no others. After an error as many do as could be switched.
    pub(super) fn use_only(&self, count: usize) -> io::Result<()> {
        let wanted = count.clamp(1, self.taps.len().max(1));
        let mut carrying = self.carrying.lock();
        while *carrying != wanted {
            let more = *carrying < wanted;
            let at = if more { *carrying } else { *carrying - 1 };
            if let Some(tap) = self.taps.get(at) {
                (self.switch)(std::os::fd::AsFd::as_fd(tap), more)?;
            }
            *carrying = if more { *carrying + 1 } else { at };
        }
        Ok(())
    }
}
