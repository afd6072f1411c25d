//! Watches the device processes. When one dies, no DMA of the machine goes on: every container is emptied and every
//! assigned device reset, with main's own copies of the descriptors; then the machine ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use jail::Children;
use sync::{Condvar, Mutex};

/// How long processes may take to end when the machine has.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct State {
    /// The machine ends: deaths are expected.
    ending: AtomicBool,
    buried: Mutex<bool>,
    all_buried: Condvar,
}

/// The thread that watches.
pub struct Undertaker {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

impl Undertaker {
    /// Watches `children`; `block` is called when one dies before its time, with its role and how it ended.
    ///
    /// # Errors
    /// The host gives no thread.
    pub fn start(children: Children, block: impl Fn(&str) + Send + 'static) -> Result<Undertaker> {
        let state = Arc::new(State::default());
        let watched = state.clone();
        let thread = std::thread::Builder::new()
            .name("undertaker".into())
            .spawn(move || watch(children, &watched, &block))
            .context("start the thread that watches device processes")?;
        Ok(Undertaker { state, thread: Some(thread) })
    }

    /// From here on deaths are expected.
    pub fn machine_ends(&self) {
        self.state.ending.store(true, Ordering::SeqCst);
    }
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
    *state.buried.lock() = true;
    state.all_buried.notify_all();
}

impl Drop for Undertaker {
    /// Waits for the processes to end. One that does not is ended by the kernel together with this process.
    fn drop(&mut self) {
        self.machine_ends();
        let mut buried = self.state.buried.lock();
        let late = self.state.all_buried.wait_while_for(&mut buried, |buried| !*buried, GRACE).timed_out();
        drop(buried);
        if late {
            log::warn!("a device process does not end; it is ended with this one");
        } else if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
