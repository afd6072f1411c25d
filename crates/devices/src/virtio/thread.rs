//! A thread of a device, and how it is asked to end.
//!
//! Invariant: once a [`Thread`] has been dropped, it is gone and touches no guest memory.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use base::EventFd;

/// Whether a thread shall end. It looks between any two things that may take long, so that whoever waits for its end waits
/// for one of them at most; the event wakes it from its sleep.
pub(super) struct Stop {
    asked: AtomicBool,
    event: EventFd,
}

impl Stop {
    /// One that nobody has asked for.
    pub(super) fn new() -> io::Result<Arc<Stop>> {
        Ok(Arc::new(Stop { asked: AtomicBool::new(false), event: base::new_event()? }))
    }

    /// Whether the thread shall end.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Readable for good once the thread shall end.
    pub(super) fn event(&self) -> &EventFd {
        &self.event
    }

    /// Asks the thread to end.
    pub(super) fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
        if let Err(error) = self.event.write(1) {
            log::error!("cannot ask a device thread to stop: {error}");
        }
    }
}

/// A running thread. Dropped, it is asked to end, and waited for.
pub(super) struct Thread {
    stop: Arc<Stop>,
    handle: Option<JoinHandle<()>>,
}

impl Thread {
    /// Starts the thread `name`, which ends soon once `stop` is asked for.
    pub(super) fn start(
        name: &str,
        stop: Arc<Stop>,
        run: impl FnOnce() + Send + 'static,
    ) -> io::Result<Thread> {
        let handle = std::thread::Builder::new().name(name.into()).spawn(run)?;
        Ok(Thread { stop, handle: Some(handle) })
    }

    /// Asks it to end, and does not wait.
    pub(super) fn ask(&self) {
        self.stop.ask();
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.stop.ask();
        if self.handle.take().is_some_and(|handle| handle.join().is_err()) {
            log::error!("a device thread ended by a panic");
        }
    }
}
