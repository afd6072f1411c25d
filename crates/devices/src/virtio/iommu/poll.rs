//! How long the worker looks at an empty request ring before it asks for kicks and sleeps.
//!
//! While it looks the driver need not kick, so a busy guest maps and unmaps without leaving the guest; an idle one
//! costs nothing once the worker has looked in vain. The window follows the guest as KVM's halt polling does: it grows
//! when a kick came soon after the worker had stopped looking, and shrinks when the next request was far off.
//!
//! Requests come in patterns: a disk read of a strict guest unmaps one buffer and maps the next in a moment, and then waits for
//! the disk. So there is a window for each sequence of the last gaps, short or long, and the worker looks where this sequence
//! has been followed by a short one. What a kick says about a gap is blurred by the time that it takes to wake the worker, which
//! may be longer than the gap: so a closed window opens for one long look now and then. Invariants: a worker that has to share
//! its processor does not look; an idle guest is looked for once at most.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The window when it opens again.
const START: Duration = Duration::from_micros(20);
/// The longest window, and the longest gap that counts as short.
pub(super) const LONGEST: Duration = Duration::from_micros(200);
/// Gaps that are remembered.
const HISTORY: u32 = 3;
const PATTERNS: usize = 1 << HISTORY;
/// Gaps of one kind after which a closed window is tried.
const TRY: u32 = 16;
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
    /// By what came before.
    lengths: [Duration; PATTERNS],
    /// Gaps that found the window closed since it was tried.
    closed: [u32; PATTERNS],
    /// The last gaps, the latest in the lowest bit; 1 is a short one.
    gaps: usize,
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
        Window { mode, lengths: [length; PATTERNS], closed: [0; PATTERNS], gaps: 0, penalty: 0 }
    }

    /// How long to look for the next request; zero: not at all.
    pub(super) fn length(&self) -> Duration {
        if self.is_tried() { LONGEST } else { self.lengths[self.gaps] }
    }

    fn is_tried(&self) -> bool {
        self.is_adaptive() && self.penalty == 0 && self.closed[self.gaps] >= TRY
    }

    /// A request came while the worker looked.
    pub(super) fn found(&mut self) {
        if self.is_tried() {
            // Kicks have told nothing about this guest's gaps: each window is to learn anew.
            (self.lengths, self.closed) = ([LONGEST; PATTERNS], [0; PATTERNS]);
        }
        self.remember(true);
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
        let soon = idle <= LONGEST;
        let (length, closed) = (&mut self.lengths[self.gaps], &mut self.closed[self.gaps]);
        *closed = match *closed {
            _ if !length.is_zero() || self.penalty > 0 || *closed >= TRY => 0,
            closed => closed + 1,
        };
        self.penalty = self.penalty.saturating_sub(1);
        *length = match *length {
            _ if self.penalty > 0 => Duration::ZERO,
            length if soon => (length * 2).clamp(START, LONGEST),
            length if length <= START => Duration::ZERO,
            length => length / 2,
        };
        self.remember(soon);
    }

    fn remember(&mut self, short: bool) {
        self.gaps = (self.gaps << 1 | usize::from(short)) % PATTERNS;
    }

    /// The worker was awake for `awake` and had a processor for `ran` of it. When the kernel gave more than a quarter to
    /// somebody else, nobody is to wait for us; the kernel's own short errands are less.
    pub(super) fn ran(&mut self, ran: Duration, awake: Duration) {
        if self.is_adaptive() && awake.saturating_sub(ran) > awake / 4 {
            (self.lengths, self.penalty) = ([Duration::ZERO; PATTERNS], PENALTY);
        }
    }
}

#[cfg(test)]
mod tests;
