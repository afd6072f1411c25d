//! A domain's address space in few words: neighbouring mappings of one kind as one run, for people to look at.
//!
//! Invariants: runs are ordered and never overlap; together they cover every mapping. When there are too many, those with
//! the smallest holes between them become one, so memory is bounded whatever a guest maps.

use data_model::Span;

use crate::{Mapping, Perm};

/// A mapping, and whether a host holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// What is mapped.
    pub mapping: Mapping,
    /// No host holds it: a doorbell of interrupts, a mapping that permits nothing, or one whose target is gone.
    pub software: bool,
    /// It led to a device's memory that is gone, or that the host would not map again.
    pub lost: bool,
}

/// What the mappings of a run have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunKind {
    /// This permission.
    Memory(Perm),
    /// Doorbells of interrupts.
    Doorbell,
    /// Nothing: there were too many runs to tell apart.
    Mixed,
}

/// Neighbouring mappings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// From the first to the last; without holes unless `bytes` is less than its length.
    pub span: Span,
    /// What they are.
    pub kind: RunKind,
    /// How many.
    pub mappings: usize,
    /// Bytes mapped.
    pub bytes: u128,
}

impl Run {
    fn new(slot: &Slot) -> Run {
        let Mapping { iova, perm, .. } = slot.mapping;
        let kind = if slot.software && !slot.lost && perm != Perm::NONE {
            RunKind::Doorbell
        } else {
            RunKind::Memory(perm)
        };
        Run { span: iova, kind, mappings: 1, bytes: iova.len_wide() }
    }

    /// Both as one, the other being further up.
    fn with(self, above: Run) -> Run {
        Run {
            span: Span::new(self.span.start(), above.span.last()).unwrap_or(self.span),
            kind: if self.kind == above.kind { self.kind } else { RunKind::Mixed },
            mappings: self.mappings + above.mappings,
            bytes: self.bytes + above.bytes,
        }
    }

    fn hole_before(&self, above: &Run) -> u64 {
        above.span.start() - self.span.last() - 1
    }

    fn continues(&self, above: &Run) -> bool {
        self.kind == above.kind && self.hole_before(above) == 0
    }
}

/// At most `most` runs (at least one) of slots that come by rising address.
pub fn runs(slots: impl Iterator<Item = Slot>, most: usize) -> Vec<Run> {
    let most = most.max(1);
    let mut runs: Vec<Run> = Vec::new();
    for slot in slots {
        let run = Run::new(&slot);
        match runs.last_mut() {
            Some(below) if below.continues(&run) => *below = below.with(run),
            _ => runs.push(run),
        }
        if runs.len() >= most.saturating_mul(4) {
            coarsen(&mut runs, most);
        }
    }
    coarsen(&mut runs, most);
    runs
}

/// Joins neighbours until `most` are left: the widest holes stay.
fn coarsen(runs: &mut Vec<Run>, most: usize) {
    if runs.len() <= most {
        return;
    }
    let mut holes: Vec<(u64, usize)> =
        runs.windows(2).enumerate().map(|(at, pair)| (pair[0].hole_before(&pair[1]), at + 1)).collect();
    holes.sort_unstable_by(|one, other| other.cmp(one));
    let mut starts: Vec<usize> = holes.iter().take(most - 1).map(|(_, at)| *at).collect();
    starts.push(0);
    starts.sort_unstable();
    let ends = starts.iter().skip(1).copied().chain([runs.len()]);
    let joined = starts
        .iter()
        .zip(ends)
        .filter_map(|(start, end)| runs.get(*start..end)?.iter().copied().reduce(Run::with));
    *runs = joined.collect();
}

#[cfg(test)]
mod tests;
