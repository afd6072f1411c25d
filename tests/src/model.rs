//! The model differential: random requests to the device and to a naive model of it; after each request the answer, the
//! tables, every container and a sample translation must agree.

mod naive;
mod op;
mod run;
mod shrink;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::world::{Memory, Rules};
pub use op::{CALLS, Fault, Op, Operation};
pub use run::{Pair, Tally, replay};

/// Requests in one trace, after which a new world begins.
pub const TRACE: u64 = 2000;

/// What a run did.
#[derive(Clone, Debug)]
pub struct Report {
    /// Requests.
    pub operations: u64,
    /// Answers and faults.
    pub tally: Tally,
    /// Time taken.
    pub time: Duration,
    /// Threads used.
    pub threads: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.operations as f64 / self.time.as_secs_f64().max(1e-9) / 1e3;
        write!(
            f,
            "model: {} operations, {} with a host fault armed, 0 disagreements; {}; {:.1} s on {} threads, {rate:.0} k/s",
            self.operations,
            self.tally.armed,
            self.tally,
            self.time.as_secs_f64(),
            self.threads
        )
    }
}

/// Runs at least `operations` requests from `seed` on, on `threads` threads. The failure holds the shortest trace found.
pub fn run(seed: u64, operations: u64, threads: usize) -> Result<Report, Failure> {
    let begun = Instant::now();
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let traces = operations.div_ceil(TRACE);
    let work = || {
        let memory = Memory::new();
        let mut tally = Tally::default();
        while !failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= traces {
                break;
            }
            let (rules, trace) = op::trace(seed.wrapping_add(number), TRACE);
            if let Err(disagreement) = replay(&rules, &memory, &trace, &mut tally) {
                failed.store(true, Ordering::Relaxed);
                return Err(explain(seed.wrapping_add(number), &rules, &memory, &trace[..=disagreement.at]));
            }
        }
        Ok(tally)
    };
    let tally = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("no panic")).collect::<Result<Vec<_>, _>>()
    })?;
    let tally = tally.into_iter().fold(Tally::default(), Tally::plus);
    Ok(Report { operations: traces * TRACE, tally, time: begun.elapsed(), threads })
}

/// Makes the trace as short as it gets and writes it down.
fn explain(seed: u64, rules: &Rules, memory: &Memory, trace: &[Operation]) -> Failure {
    let shortest =
        shrink::shortest(trace, |candidate| replay(rules, memory, candidate, &mut Tally::default()).is_err());
    let what = replay(rules, memory, &shortest, &mut Tally::default()).err();
    let mut text = format!("the device and the model disagree (seed {seed})\n  {rules:?}\n");
    for operation in &shortest {
        text += &format!("  {operation:x?}\n");
    }
    text += &what.map(|found| found.what).unwrap_or_default();
    Failure(text)
}
