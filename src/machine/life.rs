//! A machine's life: it runs, it is halted and goes on, it ends. The processors' threads follow it here.
//!
//! Invariants: the first reason to end counts, and an end also ends a halt. While the machine is halted no processor is in
//! KVM_RUN, and each has finished the access that it left the guest for: a kick is answered at that point only.

use std::time::Duration;

use devices::platform::MachineControl;
use sync::{Condvar, Mutex};

use super::Outcome;

/// How long processors may take to halt. An access to an assigned device under reset takes a second or two.
const PATIENCE: Duration = Duration::from_secs(5);

/// Gets every processor out of the guest, or keeps it from entering.
pub(crate) type Kick = Box<dyn Fn() + Send + Sync>;

/// What a halt means to a processor: guests have clocks that stand still with the machine, or must be told that it stood.
pub(crate) trait Halting {
    /// The guest's clock, where it can be stopped; asked of one processor, when all have halted.
    fn read_clock(&mut self) -> Option<u64>;

    /// Lets the clock go on from there; asked of one processor, before any runs.
    fn set_clock(&mut self, clock: u64);

    /// Tells this processor's guest that it stood still; asked of each, before it runs.
    fn was_halted(&mut self);
}

#[derive(Default)]
struct State {
    outcome: Option<Outcome>,
    /// The processors shall not run.
    suspended: bool,
    /// Processors that wait.
    halted: usize,
    /// The guest's clock since all of them do.
    clock: Option<u64>,
}

impl State {
    fn may_run(&self) -> bool {
        !self.suspended && self.outcome.is_none()
    }
}

/// Halts and ends the machine.
pub(crate) struct Control {
    state: Mutex<State>,
    changed: Condvar,
    processors: usize,
    kick: Kick,
    patience: Duration,
}

impl Control {
    /// For so many processors, which `kick` brings to [`Control::checkpoint`].
    pub fn new(processors: usize, kick: Kick) -> Control {
        Control::with_patience(processors, kick, PATIENCE)
    }

    /// The same, giving a halt up after `patience`.
    fn with_patience(processors: usize, kick: Kick, patience: Duration) -> Control {
        Control { state: Mutex::default(), changed: Condvar::new(), processors, kick, patience }
    }

    /// Ends the machine for this reason, unless it has ended already.
    pub fn end(&self, outcome: Outcome) {
        self.state.lock().outcome.get_or_insert(outcome);
        self.changed.notify_all();
        (self.kick)();
    }

    /// Waits for the reason why the machine ended.
    pub fn wait(&self) -> Outcome {
        let mut state = self.state.lock();
        loop {
            match state.outcome {
                Some(outcome) => return outcome,
                None => self.changed.wait(&mut state),
            }
        }
    }

    /// Halts the processors; returns when all have halted. A halted machine stays so.
    ///
    /// # Errors
    /// The machine ends, or a processor is held up too long: then all go on as before.
    pub fn suspend(&self) -> Result<(), String> {
        self.state.lock().suspended = true;
        (self.kick)();
        let mut state = self.state.lock();
        let waits =
            |state: &mut State| state.suspended && state.outcome.is_none() && state.halted < self.processors;
        let late = self.changed.wait_while_for(&mut state, waits, self.patience).timed_out();
        if state.outcome.is_some() {
            return Err("the machine ends".to_owned());
        }
        if late && waits(&mut state) {
            let running = self.processors - state.halted;
            state.suspended = false;
            self.changed.notify_all();
            let (of, seconds) = (self.processors, self.patience.as_secs());
            return Err(format!(
                "{running} of {of} processors did not halt within {seconds} seconds, perhaps held up by a device; \
                 the machine goes on"
            ));
        }
        Ok(())
    }

    /// Lets halted processors go on; nothing to do for a machine that runs.
    ///
    /// # Errors
    /// The machine ends.
    pub fn resume(&self) -> Result<(), String> {
        let mut state = self.state.lock();
        if state.outcome.is_some() {
            return Err("the machine ends".to_owned());
        }
        state.suspended = false;
        self.changed.notify_all();
        Ok(())
    }

    /// Where a processor comes after a kick: waits here while the machine is halted. Whether it shall run on.
    pub fn checkpoint(&self, processor: &mut dyn Halting) -> bool {
        let mut state = self.state.lock();
        if state.may_run() || state.outcome.is_some() {
            return state.outcome.is_none();
        }
        state.halted += 1;
        if state.halted == self.processors {
            state.clock = processor.read_clock();
            self.changed.notify_all();
        }
        while state.suspended && state.outcome.is_none() {
            self.changed.wait(&mut state);
        }
        state.halted -= 1;
        // Under the lock: nobody runs before the clock is right.
        if let Some(clock) = state.clock.take() {
            processor.set_clock(clock);
        }
        let goes_on = state.outcome.is_none();
        drop(state);
        if goes_on {
            processor.was_halted();
        }
        goes_on
    }
}

impl MachineControl for Control {
    fn power_off(&self) {
        self.end(Outcome::PowerOff);
    }

    fn reset(&self) {
        self.end(Outcome::Reset);
    }
}

#[cfg(test)]
mod tests;
