//! How long the worker looks at an empty request ring before it asks for kicks and sleeps.
//!
//! While it looks the driver need not kick, so a busy guest maps and unmaps without leaving the guest; an idle one
//! costs nothing once the worker has looked in vain. The window follows the guest as KVM's halt polling does: it grows
//! when a kick came soon after the worker had stopped looking, and shrinks when the next request was far off.
//! Invariant: a worker that has to share its processor does not look.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The window when it opens again.
const START: Duration = Duration::from_micros(20);
/// The longest window, and what counts as soon.
pub(super) const LONGEST: Duration = Duration::from_micros(400);
/// Wake-ups for which the worker does not look after it has had to share its processor.
pub(super) const PENALTY: u32 = 64;

/// What the user wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PollMode {
    /// The window follows the guest; never on a machine with one processor.
    #[default]
    Auto,
    /// Each request that finds the worker idle wakes it.
    Off,
    /// Always this long, whoever else wants the processor.
    Fixed(Duration),
}

/// How long to look now.
pub(super) struct Window {
    mode: PollMode,
    length: Duration,
    /// Wake-ups that are still to pass before the window may grow.
    penalty: u32,
}

impl Window {
    /// The window on a machine with so many processors for us.
    pub(super) fn new(mode: PollMode, processors: u32) -> Window {
        let mode = if mode == PollMode::Auto && processors < 2 { PollMode::Off } else { mode };
        let length = match mode {
            PollMode::Fixed(length) => length,
            PollMode::Auto | PollMode::Off => Duration::ZERO,
        };
        Window { mode, length, penalty: 0 }
    }

    /// How long to look for the next request; zero: not at all.
    pub(super) fn length(&self) -> Duration {
        self.length
    }

    /// Whether [`Window::ran`] is of interest.
    pub(super) fn is_adaptive(&self) -> bool {
        self.mode == PollMode::Auto
    }

    /// A kick has ended a sleep; the last request was answered `idle` ago.
    pub(super) fn woken(&mut self, idle: Duration) {
        if !self.is_adaptive() {
            return;
        }
        self.penalty = self.penalty.saturating_sub(1);
        self.length = match idle {
            _ if self.penalty > 0 => Duration::ZERO,
            idle if idle <= LONGEST => (self.length * 2).clamp(START, LONGEST),
            _ if self.length <= START => Duration::ZERO,
            _ => self.length / 2,
        };
    }

    /// The worker was awake for `awake` and had a processor for `ran` of it. When the kernel gave more than a quarter to
    /// somebody else, nobody is to wait for us; the kernel's own short errands are less.
    pub(super) fn ran(&mut self, ran: Duration, awake: Duration) {
        if self.is_adaptive() && awake.saturating_sub(ran) > awake / 4 {
            (self.length, self.penalty) = (Duration::ZERO, PENALTY);
        }
    }
}

#[cfg(test)]
mod tests;
