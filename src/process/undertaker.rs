//! Watches the device processes. When one dies, no DMA of the machine goes on: every container is emptied and every
//! assigned device reset, with main's own copies of the descriptors; then the machine ends.
//!
//! When the machine ends the processes end by themselves, for main closes its ends of their tubes. One that does not is killed,
//! after the time that a slow disk may need for what is still to be written.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use jail::Children;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, pidfd_send_signal};
use sync::{Condvar, Mutex};

/// How patient the end of a machine is.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// Then the user is told whom the machine waits for.
    tell: Duration,
    /// So much later they are killed.
    kill: Duration,
    /// So much later they are left to the kernel.
    leave: Duration,
}

const PATIENCE: Patience =
    Patience { tell: Duration::from_secs(10), kill: Duration::from_secs(50), leave: Duration::from_secs(5) };

#[derive(Default)]
struct State {
    /// The machine ends: deaths are expected.
    ending: AtomicBool,
    buried: Mutex<bool>,
    all_buried: Condvar,
}

impl State {
    fn buried_within(&self, time: Duration) -> bool {
        let mut buried = self.buried.lock();
        !self.all_buried.wait_while_for(&mut buried, |buried| !*buried, time).timed_out() || *buried
    }

    fn all_buried(&self) {
        *self.buried.lock() = true;
        self.all_buried.notify_all();
    }
}

/// A process by its role and pidfd.
struct Watched(String, OwnedFd);

impl Watched {
    fn lives(&self) -> bool {
        let mut ended = [PollFd::new(&self.1, PollFlags::IN)];
        matches!(poll(&mut ended, Some(&Timespec::default())), Ok(0))
    }
}

/// The thread that watches.
pub struct Undertaker {
    state: Arc<State>,
    processes: Vec<Watched>,
    thread: Option<JoinHandle<()>>,
}

impl Undertaker {
    /// Watches `children`; `block` is called when one dies before its time, with its role and how it ended.
    ///
    /// # Errors
    /// The host gives no thread or no descriptor.
    pub fn start(children: Children, block: impl Fn(&str) + Send + 'static) -> Result<Undertaker> {
        let watched = |(_, worker): (_, &jail::Worker)| {
            Ok(Watched(worker.role().to_owned(), worker.as_fd().try_clone_to_owned()?))
        };
        let processes = children.iter().map(watched).collect::<std::io::Result<_>>();
        let processes = processes.context("copy the descriptors of device processes")?;
        let state = Arc::new(State::default());
        let of_thread = state.clone();
        let thread = std::thread::Builder::new()
            .name("undertaker".into())
            .spawn(move || watch(children, &of_thread, &block))
            .context("start the thread that watches device processes")?;
        Ok(Undertaker { state, processes, thread: Some(thread) })
    }

    /// From here on deaths are expected.
    pub fn machine_ends(&self) {
        self.state.ending.store(true, Ordering::SeqCst);
    }

    /// Waits for the processes to end, and kills those that do not; whether all have.
    pub fn finish(mut self) -> bool {
        self.machine_ends();
        let ended = all_end(&self.state, &self.processes, PATIENCE);
        if let Some(thread) = self.thread.take().filter(|_| ended) {
            drop(thread.join());
        }
        ended
    }
}

/// Waits for the end of `processes`, which somebody books in `state`; whether it came.
fn all_end(state: &State, processes: &[Watched], patience: Patience) -> bool {
    if state.buried_within(patience.tell) {
        return true;
    }
    log::warn!("waiting for {}, to be killed after {} s more", living(processes), patience.kill.as_secs());
    if state.buried_within(patience.kill) {
        return true;
    }
    log::error!("killing {}: what was not written out is lost", living(processes));
    for Watched(role, pidfd) in processes.iter().filter(|process| process.lives()) {
        if let Err(errno) = pidfd_send_signal(pidfd, Signal::KILL) {
            log::error!("{role}: cannot be killed: {errno}");
        }
    }
    let ended = state.buried_within(patience.leave);
    if !ended {
        log::error!(
            "{} held up in the kernel; devices and files stay in use until it lets go",
            living(processes)
        );
    }
    ended
}

fn living(processes: &[Watched]) -> String {
    let roles = processes.iter().filter(|process| process.lives()).map(|Watched(role, _)| role.as_str());
    roles.collect::<Vec<_>>().join(", ")
}

fn watch(mut children: Children, state: &State, block: &dyn Fn(&str)) {
    while children.iter().next().is_some() {
        match children.wait_any(None) {
            Ok(Some(death)) if !state.ending.load(Ordering::SeqCst) => {
                block(&format!("{} {}", death.worker.role(), death.ending));
            }
            Ok(_) => {}
            Err(error) => {
                block(&format!("the device processes cannot be watched: {error}"));
                break;
            }
        }
    }
    state.all_buried();
}

#[cfg(test)]
mod tests;
