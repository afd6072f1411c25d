//! A thread of main's that waits for others, and ends when nobody needs it any more.

use std::os::fd::OwnedFd;
use std::thread::JoinHandle;

use anyhow::{Context, Result};

/// The thread; dropped, it ends and is waited for.
pub(crate) struct Background {
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts the thread `name`. `run` returns soon once what it is given can be read: its other end is closed then.
    ///
    /// # Errors
    /// The host gives no thread or no descriptor.
    pub fn start(name: &str, run: impl FnOnce(&OwnedFd) + Send + 'static) -> Result<Background> {
        let (stopped, stop) = rustix::pipe::pipe().context("make a pipe")?;
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || run(&stopped))?;
        Ok(Background { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Closing this end wakes the thread.
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
