//! SIGTERM, SIGINT and SIGHUP end the machine in order, as `mixvm stop` does: disks are written out, the terminal and the
//! socket are left as they should be.
//!
//! Invariants: the signals are blocked before the first thread and the first device process start, which inherit that, so that
//! the thread here is the only one to take them; a device process does not end by a key typed at the terminal. What was
//! ignored at the start (`nohup`) stays ignored. Whoever sends a second one does not want to wait: that ends the process.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::Outcome;
use super::background::Background;
use super::life::Control;

/// What a user, a shell or a service manager sends to a program that should end.
const ENDING: [Signal; 3] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];

/// The signals, kept for whoever waits for them.
pub(crate) struct Signals {
    set: SigSet,
    fd: SignalFd,
}

impl Signals {
    /// Blocks them for this thread and all that it starts. One that comes before [`Signals::watch`] waits for it.
    ///
    /// # Errors
    /// The host has no descriptor left.
    pub fn block() -> Result<Signals> {
        let ignored = ignored(&std::fs::read_to_string("/proc/self/status").unwrap_or_default());
        let taken = ENDING.into_iter().filter(|signal| ignored & bit(*signal) == 0);
        let set: SigSet = taken.collect();
        set.thread_block().context("block the signals that end the machine")?;
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .context("wait for the signals that end the machine")?;
        Ok(Signals { set, fd })
    }

    /// Ends the machine when one comes.
    ///
    /// # Errors
    /// The host gives no thread or no descriptor.
    pub fn watch(self, control: &Arc<Control>) -> Result<Background> {
        let control = control.clone();
        Background::start("signals", move |stopped| {
            let Some(signal) = self.wait(stopped) else { return };
            log::info!("{signal}: the machine ends");
            control.end(Outcome::PowerOff);
            // The next one finds this thread and does what it does by default.
            let _ = self.set.thread_unblock();
            let _ = poll(&mut [PollFd::new(stopped, PollFlags::IN)], None);
        })
    }

    /// The first that comes; `None` when `stopped` is closed at its other end.
    fn wait(&self, stopped: &OwnedFd) -> Option<Signal> {
        loop {
            let fd = self.fd.as_fd();
            let mut watched =
                [PollFd::new(stopped, PollFlags::IN), PollFd::from_borrowed_fd(fd, PollFlags::IN)];
            match poll(&mut watched, None) {
                Err(Errno::INTR) => continue,
                Ok(_) if watched[0].revents().is_empty() => {}
                _ => return None,
            }
            if let Ok(Some(info)) = self.fd.read_signal() {
                return i32::try_from(info.ssi_signo).ok().and_then(|number| Signal::try_from(number).ok());
            }
        }
    }
}

/// The ignored signals of a `/proc/PID/status`, one bit each.
fn ignored(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

fn bit(signal: Signal) -> u64 {
    1u64.checked_shl((signal as u32).saturating_sub(1)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
