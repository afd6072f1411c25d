//! The comparison: each request goes to both sides, and the answers must be the same.
//!
//! Invariant: both sides start empty, so what happened since then explains every answer.

mod shortest;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use anyhow::{Result, ensure};
use iommu_domain::mixed::model::{TraceOp, Traced, Type1Model};
use iommu_domain::mixed::{Errno, MapRequest, MixedDomain, Type1Kernel, UnmapRequest};

/// Requests that are remembered for a replay.
const REMEMBERED: usize = 4096;
/// Requests from one count of mappings to the next.
const COUNTED: u64 = 1000;

/// Bytes unmapped, or the error.
type Answer = Result<u64, Errno>;

/// A host and its model, asked the same.
pub struct Diff<'a, H> {
    model: &'a Type1Model,
    domain: MixedDomain,
    host: H,
    available: &'a dyn Fn() -> Option<u32>,
    recent: VecDeque<TraceOp>,
    asked: u64,
    tally: Tally,
}

/// How often each kind of request got each kind of answer.
#[derive(Default)]
pub struct Tally(BTreeMap<(&'static str, String), u64>);

impl<'a, H: Traced> Diff<'a, H> {
    /// Both empty; `available` is what the host says of the mappings it still takes.
    pub fn new(
        model: &'a Type1Model,
        host: H,
        available: &'a dyn Fn() -> Option<u32>,
    ) -> Result<Diff<'a, H>> {
        let domain = model.domain(Type1Kernel::V6_12)?;
        Ok(Diff {
            model,
            domain,
            host,
            available,
            recent: VecDeque::new(),
            asked: 0,
            tally: Tally::default(),
        })
    }

    /// Puts `ops` requests of `trace` to both, calling `progress` after each with their number. Requests that cannot be put
    /// into the host's words do not count.
    pub fn run(
        &mut self,
        trace: impl Iterator<Item = TraceOp>,
        ops: u64,
        mut progress: impl FnMut(u64),
    ) -> Result<&Tally> {
        self.count()?;
        for op in trace {
            if self.asked >= ops {
                break;
            }
            if !self.host.can_ask(&op) {
                continue;
            }
            self.ask(op)?;
            if self.asked.is_multiple_of(COUNTED) {
                self.count()?;
            }
            progress(self.asked);
        }
        ensure!(self.asked == ops, "the requests ended after {}", self.asked);
        self.clear()?;
        Ok(&self.tally)
    }

    fn ask(&mut self, op: TraceOp) -> Result<()> {
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(op);
        self.asked += 1;
        let (host, model) = (self.host.apply(&op), self.domain.apply(&op));
        self.tally.add(&op, model);
        if host == model {
            return Ok(());
        }
        let told = self.reproduce();
        let (host, model) = (Shown(host), Shown(model));
        anyhow::bail!(
            "request {}, {}: the host says {host}, the model {model}\n{told}",
            self.asked,
            show(&op)
        )
    }

    /// Whether both hold as many mappings.
    fn count(&mut self) -> Result<()> {
        let Some(free) = (self.available)() else { return Ok(()) };
        let live = self.domain.state().slots.len() as u64;
        let expected = u64::from(self.model.entries).saturating_sub(live);
        ensure!(
            u64::from(free) == expected,
            "after request {} the host takes {free} more mappings, the model {expected}\nthe last requests:\n{}",
            self.asked,
            list(self.recent.iter().rev().take(16).rev()),
        );
        Ok(())
    }

    /// Empties both at the end.
    fn clear(&mut self) -> Result<()> {
        let (host, model) = (self.host.apply(&TraceOp::UnmapAll), self.domain.apply(&TraceOp::UnmapAll));
        let (shown, expected) = (Shown(host), Shown(model));
        ensure!(host == model, "emptying at the end: the host says {shown}, the model {expected}");
        self.count()
    }
}

impl Tally {
    fn add(&mut self, op: &TraceOp, answer: Answer) {
        let kind = match op {
            TraceOp::Map { .. } => "map",
            TraceOp::Unmap { .. } => "unmap",
            TraceOp::UnmapAll => "unmap all",
            TraceOp::MapAsTold(_) => "raw map",
            TraceOp::UnmapAsTold(_) => "raw unmap",
        };
        let outcome = match (op, answer) {
            (TraceOp::Map { .. } | TraceOp::MapAsTold(_), Ok(_)) => "done".into(),
            (_, Ok(0)) => "nothing there".into(),
            (_, Ok(_)) => "bytes".into(),
            (_, Err(errno)) => errno.to_string(),
        };
        *self.0.entry((kind, outcome)).or_default() += 1;
    }

    /// How often this request got this answer.
    #[cfg(test)]
    pub fn of(&self, kind: &'static str, outcome: &str) -> u64 {
        self.0.get(&(kind, outcome.to_owned())).copied().unwrap_or_default()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, ((kind, outcome), times)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{kind} {outcome} {times}")?;
        }
        Ok(())
    }
}

/// An answer for people.
struct Shown(Answer);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(bytes) => write!(f, "OK, {bytes:#x} bytes"),
            Err(Errno::Io) => f.write_str("EIO or an error that the model does not know"),
            Err(errno) => errno.fmt(f),
        }
    }
}

fn show(op: &TraceOp) -> String {
    match op {
        TraceOp::Map { iova, size, va_offset, perm } => {
            format!("map {iova:#x}+{size:#x} to {va_offset:#x} {perm}")
        }
        TraceOp::Unmap { iova, size } => format!("unmap {iova:#x}+{size:#x}"),
        TraceOp::UnmapAll => "unmap all".into(),
        TraceOp::MapAsTold(MapRequest { iova, len, target, perm, flags, .. }) => {
            let target = target.start();
            format!("raw map {iova:#x}+{len:#x} to {target:#x} {perm} flags {flags:#x}")
        }
        TraceOp::UnmapAsTold(UnmapRequest { iova, len, all, flags }) => {
            format!("raw unmap {iova:#x}+{len:#x} all {all} flags {flags:#x}")
        }
    }
}

fn list<'o>(ops: impl Iterator<Item = &'o TraceOp>) -> String {
    ops.map(|op| format!("  {}\n", show(op))).collect()
}

#[cfg(test)]
mod tests;
