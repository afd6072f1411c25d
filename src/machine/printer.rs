//! Carries what a device process writes for the terminal to standard output.
//!
//! The process has one end of a pipe, never the terminal itself: descriptors of a terminal share their state, and one who holds it
//! can type into it.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use base::{EventFd, Poller};
use rustix::io::{Errno, read};

const OUTPUT: u64 = 0;
const STOP: u64 = 1;

/// A thread that prints; dropped, it prints what is there and ends.
pub(crate) struct Printer {
    stop: EventFd,
    thread: Option<JoinHandle<()>>,
}

impl Printer {
    /// Prints to `to` what comes from `pipe`, which does not block.
    pub fn start(pipe: OwnedFd, mut to: impl Write + Send + 'static) -> Result<Printer> {
        let stop = base::new_event().context("make an event")?;
        let mut poller = Poller::new()?;
        poller.add(&stop, STOP)?;
        poller.add(&pipe, OUTPUT)?;
        let run = move || {
            loop {
                let Ok(ready) = poller.wait(None) else { return };
                let more = carry(&pipe, &mut to);
                if !more || ready.iter().any(|ready| ready.token == STOP) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("printer".into()).spawn(run)?;
        Ok(Printer { stop, thread: Some(thread) })
    }
}

/// All that is there; whether more may come.
fn carry(pipe: &OwnedFd, to: &mut impl Write) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match read(pipe, &mut buffer) {
            Ok(0) => return false,
            // Output that goes nowhere holds nobody up.
            Ok(len) => drop(to.write_all(buffer.get(..len).unwrap_or_default()).and_then(|()| to.flush())),
            Err(Errno::AGAIN) => return true,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        drop(self.stop.write(1));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests;
