//! The undertaker's eyes: every worker's pidfd in one poller.

use std::io;
use std::time::{Duration, Instant};

use base::Poller;

use crate::worker::{Ending, Worker};

/// A worker among the [`Children`]; never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChildId(u64);

/// A worker that has ended.
#[derive(Debug)]
pub struct Death {
    /// Which.
    pub id: ChildId,
    /// How.
    pub ending: Ending,
    /// The rest of it: role, number and channel, on which its last messages can still be read.
    pub worker: Worker,
}

/// All workers of the main process. Dropping it kills them and waits for their ends.
pub struct Children {
    poller: Poller,
    alive: Vec<(ChildId, Worker)>,
    next: u64,
}

impl Children {
    /// None yet.
    pub fn new() -> io::Result<Children> {
        Ok(Children { poller: Poller::new()?, alive: Vec::new(), next: 0 })
    }

    /// Watches a worker. On an error it is killed.
    pub fn add(&mut self, worker: Worker) -> io::Result<ChildId> {
        let id = ChildId(self.next);
        self.poller.add(&worker, id.0)?;
        self.next = self.next.saturating_add(1);
        self.alive.push((id, worker));
        Ok(id)
    }

    /// A worker that has not been reported dead.
    pub fn get(&self, id: ChildId) -> Option<&Worker> {
        self.alive.iter().find(|(of, _)| *of == id).map(|(_, worker)| worker)
    }

    /// Workers that have not been reported dead.
    pub fn iter(&self) -> impl Iterator<Item = (ChildId, &Worker)> {
        self.alive.iter().map(|(id, worker)| (*id, worker))
    }

    /// Waits until one ends, for ever when `timeout` is `None`. Each end is told once; `None` when the time is over.
    pub fn wait_any(&mut self, timeout: Option<Duration>) -> io::Result<Option<Death>> {
        let end = timeout.map(|timeout| Instant::now() + timeout);
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            let ms = left.map(|left| u32::try_from(left.as_millis().saturating_add(1)).unwrap_or(u32::MAX));
            let ready = self.poller.wait(if left == Some(Duration::ZERO) { Some(0) } else { ms })?;
            let at =
                ready.first().and_then(|ready| self.alive.iter().position(|(id, _)| id.0 == ready.token));
            if let Some(at) = at {
                return self.bury(at).map(Some);
            }
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
        }
    }

    fn bury(&mut self, at: usize) -> io::Result<Death> {
        let (id, mut worker) = self.alive.swap_remove(at);
        self.poller.remove(&worker)?;
        Ok(Death { id, ending: worker.wait()?, worker })
    }
}
