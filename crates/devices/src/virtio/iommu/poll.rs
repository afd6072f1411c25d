//! Whether the worker looks at an empty request ring for a while, before it asks for kicks and sleeps.
//!
//! While it looks the driver need not kick, so a busy guest maps and unmaps without leaving the guest; an idle one costs nothing
//! once the worker has looked in vain. Requests come in patterns: a disk read of a strict guest unmaps one buffer and maps the
//! next in a moment, and then waits for the disk. So the worker predicts, as a processor predicts branches: each sequence of the
//! last gaps, short or long, has a score for whether a short one follows, and the worker looks where that is likely.
//!
//! Looking is worth at most what it saves: the exit that a kick is, the wake-up, and the way back to sleep. So it lasts as long
//! as these take on this machine, measured once (`wake_up.rs`), within limits. What a kick says about a gap is blurred by the same
//! time, so a worker that does not look tries one long look now and then. Invariants: a worker that has to share its processor
//! does not look, for longer each time; an idle guest is looked for once at most.

mod rest;
mod wake_up;

use std::time::Duration;

pub(super) use rest::Rest;
use serde::{Deserialize, Serialize};

/// How long a look lasts where threads wake up quickly: as long as KVM's halt polling.
const SHORTEST: Duration = Duration::from_micros(200);
/// The same where they wake up most slowly.
const LONGEST: Duration = Duration::from_millis(4);
/// A request that finds the worker asleep is taken to cost this many times the wake-up of a thread, as KVM's halt polling does.
/// With 8 a look ended, where threads wake slowly, in gaps that the guest's own timer interrupt had made longer, and each kick that
/// follows makes the next gap longer still.
const WAKE_UPS: u32 = 20;
/// Gaps that are remembered.
const HISTORY: u32 = 3;
const PATTERNS: usize = 1 << HISTORY;
/// From this score on the worker looks; kicks alone lead no further.
const LIKELY: u8 = 2;
/// The score after a request was found.
const SURE: u8 = 4;
/// What a look in vain costs.
const IN_VAIN: u8 = 2;
/// Gaps of one kind without a look after which one is tried.
const TRY: u32 = 16;
/// The worker must have been awake for so long before it is judged whether it shares its processor: the kernel's own errands, and
/// the time that it takes to spread threads over processors, are a large part of a moment and a small one of this.
const JUDGED: Duration = Duration::from_millis(50);
/// For so long the worker does not look after it has had to share its processor: the first time, and twice as long each time in a
/// row, up to the most. The first is no longer than the errand that it makes room for.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What the user wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PollMode {
    /// The worker looks where it pays; never on a machine with one processor.
    #[default]
    Auto,
    /// Each request that finds the worker idle wakes it.
    Off,
    /// Always this long, whoever else wants the processor.
    Fixed(Duration),
}

/// How long to look now. A clone of a new one is a new one.
#[derive(Clone)]
pub(super) struct Window {
    mode: PollMode,
    /// What a request costs that finds the worker asleep.
    cost: Duration,
    /// By what came before: how likely a short gap is next, and how many gaps have passed without a look.
    scores: [u8; PATTERNS],
    skipped: [u32; PATTERNS],
    /// The last gaps, the latest in the lowest bit; 1 is a short one.
    gaps: usize,
    /// Time that is still to pass before the worker may look, and how much the next time.
    pause: Duration,
    next_pause: Duration,
    /// For how long the worker had a processor, of how long it was awake, since it was judged.
    had: (Duration, Duration),
    /// What is done between two looks.
    rest: Rest,
}

/// What a request costs on this machine, which has several processors, when it finds the worker asleep.
fn cost(rest: Rest) -> Duration {
    match wake_up::latency(rest) {
        Ok(latency) => {
            log::debug!("virtio-iommu: to be woken takes {latency:?}");
            WAKE_UPS * latency
        }
        Err(error) => {
            log::warn!("virtio-iommu: cannot measure what it takes to be woken: {error}");
            SHORTEST
        }
    }
}

impl Window {
    /// The window on this machine. Where the worker decides for itself, what it takes to be woken is measured first, some ten times.
    pub(super) fn here(mode: PollMode) -> Window {
        let mut window = Window::new(mode, Duration::ZERO, base::usable_processors());
        if window.mode != PollMode::Off {
            window.rest = Rest::here();
        }
        if window.is_adaptive() {
            window.cost = cost(window.rest);
        }
        window
    }

    /// The window on a machine with so many processors for us, where a request that finds the worker asleep costs so much.
    fn new(mode: PollMode, cost: Duration, processors: u32) -> Window {
        Window {
            mode: if mode == PollMode::Auto && processors < 2 { PollMode::Off } else { mode },
            cost,
            scores: [0; PATTERNS],
            skipped: [0; PATTERNS],
            gaps: 0,
            pause: Duration::ZERO,
            next_pause: PAUSE,
            had: Default::default(),
            rest: Rest::NONE,
        }
    }

    /// A window that never opens.
    pub(super) fn never() -> Window {
        Window::new(PollMode::Off, Duration::ZERO, 1)
    }

    /// How long to look for the next request; zero: not at all.
    pub(super) fn length(&self) -> Duration {
        match self.mode {
            PollMode::Fixed(length) => length,
            PollMode::Auto if self.looks() => self.look(),
            PollMode::Auto | PollMode::Off => Duration::ZERO,
        }
    }

    /// What is done between two looks.
    pub(super) fn rest(&self) -> Rest {
        self.rest
    }

    /// How long a look lasts.
    fn look(&self) -> Duration {
        self.cost.clamp(SHORTEST, LONGEST)
    }

    fn looks(&self) -> bool {
        self.pause.is_zero() && (self.scores[self.gaps] >= LIKELY || self.is_tried())
    }

    fn is_tried(&self) -> bool {
        self.skipped[self.gaps] >= TRY
    }

    /// A request came while the worker looked.
    pub(super) fn found(&mut self) {
        if self.is_tried() {
            // Kicks have told nothing about this guest's gaps: each sequence is to be tried anew.
            (self.scores, self.skipped) = ([LIKELY; PATTERNS], [0; PATTERNS]);
        }
        self.scores[self.gaps] = SURE;
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
        let looked = self.looks();
        let soon = !looked && idle <= self.look() + self.cost;
        let (score, skipped) = (&mut self.scores[self.gaps], &mut self.skipped[self.gaps]);
        if looked {
            (*score, *skipped) = (score.saturating_sub(IN_VAIN), 0);
        } else if self.pause.is_zero() {
            *skipped += 1;
            *score = if soon { (*score + 1).min(LIKELY) } else { score.saturating_sub(1) };
        }
        self.pause = self.pause.saturating_sub(idle);
        self.remember(soon);
    }

    fn remember(&mut self, short: bool) {
        self.gaps = (self.gaps << 1 | usize::from(short)) % PATTERNS;
    }

    /// The worker was awake for `awake` and had a processor for `ran` of it. When the kernel gave more than a quarter to
    /// somebody else, nobody is to wait for us; the kernel's own short errands are less.
    pub(super) fn ran(&mut self, ran: Duration, awake: Duration) {
        self.had = (self.had.0 + ran, self.had.1 + awake);
        if !self.is_adaptive() || self.had.1 < JUDGED {
            return;
        }
        let (ran, awake) = std::mem::take(&mut self.had);
        if awake.saturating_sub(ran) > awake / 4 {
            self.pause = self.next_pause;
            self.next_pause = (2 * self.next_pause).min(LONGEST_PAUSE);
        } else {
            self.next_pause = PAUSE;
        }
    }
}

#[cfg(test)]
mod tests;
