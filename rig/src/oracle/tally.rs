//! How often what was asked and seen.

use std::collections::BTreeMap;
use std::fmt;

use super::model::Op;
use super::probe::Seen;

/// Counts of requests and probes.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    seen: BTreeMap<Seen, u64>,
    requests: u64,
    refused: u64,
    /// Requests after which the device must have lost something: UNMAP, DETACH, resets.
    endings: u64,
}

impl Tally {
    /// Counts a request; `done` unless it was refused.
    pub fn request(&mut self, op: &Op, done: bool) {
        self.requests += 1;
        self.refused += u64::from(!done);
        self.endings += u64::from(done && matches!(op, Op::Unmap(_) | Op::Detach | Op::Reset));
    }

    /// Counts a probe.
    pub fn count(&mut self, seen: Seen) {
        *self.seen.entry(seen).or_default() += 1;
    }

    /// Probes that were judged.
    pub fn probes(&self) -> u64 {
        self.seen.iter().filter(|(seen, _)| **seen != Seen::WriteImpliesRead).map(|(_, times)| times).sum()
    }

    /// Whether each kind of probe that must come up has come up.
    pub fn ended(&self) -> bool {
        use Seen::{Read, ReadDead, Unreachable, WriteDead, WriteForbidden, Written};
        [Written, Read, WriteForbidden, WriteDead, ReadDead, Unreachable]
            .iter()
            .all(|seen| self.times(*seen) > 0)
    }

    fn times(&self, seen: Seen) -> u64 {
        self.seen.get(&seen).copied().unwrap_or_default()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = |seen| self.times(seen);
        write!(
            f,
            "{} probes: live {} written {} read, forbidden {} written {} read, dead {} written {} read, no queues {}, \
             write-only {} read; {} requests, {} refused, {} that end something",
            self.probes(),
            times(Seen::Written),
            times(Seen::Read),
            times(Seen::WriteForbidden),
            times(Seen::ReadForbidden),
            times(Seen::WriteDead),
            times(Seen::ReadDead),
            times(Seen::Unreachable),
            times(Seen::WriteImpliesRead),
            self.requests,
            self.refused,
            self.endings,
        )
    }
}
