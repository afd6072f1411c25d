//! Requests counted by kind and outcome.

use virtio_iommu_spec::{RequestKind, Status};

/// Requests of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestCount {
    /// The kind.
    pub kind: RequestKind,
    /// How many ended with each status; the index is the status's number.
    pub by_status: [u64; Status::ALL.len()],
}

impl RequestCount {
    /// Answered OK.
    pub fn ok(&self) -> u64 {
        self.by_status[Status::Ok as usize]
    }

    /// Answered with anything else.
    pub fn failed(&self) -> u64 {
        self.by_status.iter().sum::<u64>() - self.ok()
    }
}

/// Counts for every kind, and of chains that were no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestCounters {
    /// One entry for each kind, in the order of their numbers.
    pub kinds: [RequestCount; RequestKind::ALL.len()],
    /// Chains that came back unwritten: malformed, too small, of unknown type.
    pub unanswered: u64,
    /// Fault reports for which the driver had no buffer.
    pub events_dropped: u64,
    /// Fault reports delivered.
    pub events: u64,
    /// Wake-ups of the worker by the driver's kick.
    pub kicks: u64,
    /// Requests, or batches of them, that the worker found by looking, without a kick. Counted when a spell of looking ends.
    pub polled: u64,
}

impl Default for RequestCounters {
    fn default() -> RequestCounters {
        let count = |kind| RequestCount { kind, by_status: [0; Status::ALL.len()] };
        RequestCounters {
            kinds: RequestKind::ALL.map(count),
            unanswered: 0,
            events_dropped: 0,
            events: 0,
            kicks: 0,
            polled: 0,
        }
    }
}

impl RequestCounters {
    pub(super) fn count(&mut self, kind: RequestKind, status: Status) {
        self.kinds[kind as usize - 1].by_status[status as usize] += 1;
    }
}
