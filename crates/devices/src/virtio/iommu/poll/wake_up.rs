//! What it costs on this machine to wake a thread that sleeps: from microseconds to, where the machine is emulated or its
//! processors sleep deeply, milliseconds.
//!
//! Who wakes it spins meanwhile, as a guest's driver does that waits for its answer; so the sleeper has to be woken on another
//! processor. Not to be used where there is only one.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base::{EventFd, Poller, new_event};

use super::Rest;

/// Odd, so that one of them is the median.
const ROUNDS: u32 = 9;
/// For so long the sleeper is left alone before each round: its processor may go to sleep too.
const PAUSE: Duration = Duration::from_micros(100);
/// A thread that is not awake by then is not waited for any longer.
const LIMIT: Duration = Duration::from_millis(50);

/// The time from an event to the thread that waits for it, as a rule: the median of a few.
pub(super) fn latency(rest: Rest) -> io::Result<Duration> {
    let (event, mut poller) = (new_event()?, Poller::new()?);
    poller.add(&event, 0)?;
    let heard = AtomicU32::new(0);
    thread::scope(|scope| {
        let sleeper = || sleep(&event, &mut poller, &heard);
        let sleeper = thread::Builder::new().name("wake-up".into()).spawn_scoped(scope, sleeper)?;
        let samples: io::Result<Vec<_>> =
            (1..=ROUNDS).map(|round| wake(&event, &heard, round, rest)).collect();
        sleeper.join().map_err(|_| io::Error::other("the thread that is to be woken has died"))??;
        let mut samples = samples?;
        samples.sort_unstable();
        Ok(samples[samples.len() / 2])
    })
}

/// Waits for events as the worker does, and says how many it has heard. One that does not come ends it.
fn sleep(event: &EventFd, poller: &mut Poller, heard: &AtomicU32) -> io::Result<()> {
    let limit = 2 * LIMIT.as_millis() as u32;
    let mut left = ROUNDS;
    while left > 0 && !poller.wait(Some(limit))?.is_empty() {
        left -= event.read()? as u32;
        heard.store(ROUNDS - left, Ordering::Release);
    }
    Ok(())
}

fn wake(event: &EventFd, heard: &AtomicU32, round: u32, rest: Rest) -> io::Result<Duration> {
    spin_until(PAUSE, rest, || false);
    let begun = Instant::now();
    event.write(1)?;
    spin_until(LIMIT, rest, || heard.load(Ordering::Acquire) >= round);
    Ok(begun.elapsed())
}

fn spin_until(limit: Duration, rest: Rest, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() && begun.elapsed() < limit {
        rest.take();
    }
}
