//! From thousands of requests to the few that a person can read.

use anyhow::{Result, ensure};
use iommu_domain::mixed::model::{TraceOp, Traced};
use iommu_domain::mixed::{MixedDomain, Type1Kernel};

use super::{Diff, Shown, list, show};

/// Requests that are told where no few of them show the difference.
const TOLD: usize = 8;

impl<H: Traced> Diff<'_, H> {
    /// The fewest of the last requests that make an empty container and an empty model disagree, with both answers to each.
    pub(super) fn reproduce(&mut self) -> String {
        let recent: Vec<TraceOp> = self.recent.iter().copied().collect();
        let lengths =
            std::iter::successors(Some(1), |len| Some(len * 2)).take_while(|len| *len < recent.len());
        let mut tails = lengths.chain([recent.len()]).map(|len| &recent[recent.len() - len..]);
        let Some(tail) = tails.find(|tail| self.disagrees(tail)) else {
            let last = recent.len().saturating_sub(TOLD);
            let (count, live) = (recent.len(), self.domain.state().slots.len());
            let tail = list(recent[last..].iter());
            return format!(
                "{live} mappings are live, the last {count} requests alone do not do it:\n{tail}"
            );
        };
        let fewest = self.fewest(tail.to_vec());
        let requests =
            if fewest.len() == 1 { "1 request".into() } else { format!("{} requests", fewest.len()) };
        format!("to an empty container, {requests}:\n{}", self.answers(&fewest))
    }

    /// Leaves out pieces of a run that disagrees, large ones first, as long as it still does.
    fn fewest(&mut self, mut ops: Vec<TraceOp>) -> Vec<TraceOp> {
        let mut piece = ops.len() / 2;
        while piece > 0 {
            let mut at = 0;
            while at < ops.len() {
                let end = ops.len().min(at + piece);
                let fewer = [&ops[..at], &ops[end..]].concat();
                if self.disagrees(&fewer) {
                    ops = fewer;
                } else {
                    at = end;
                }
            }
            piece /= 2;
        }
        ops
    }

    /// What both say to each request of a run that disagrees.
    fn answers(&mut self, ops: &[TraceOp]) -> String {
        let Ok(mut domain) = self.emptied() else { return list(ops.iter()) };
        let mut told = String::new();
        for op in ops {
            let (host, model) = (self.host.apply(op), domain.apply(op));
            let differs = if host == model { String::new() } else { format!(", the model {}", Shown(model)) };
            told += &format!("  {}: {}{differs}\n", show(op), Shown(host));
        }
        told
    }

    /// Both empty once more.
    fn emptied(&mut self) -> Result<MixedDomain> {
        ensure!(self.host.apply(&TraceOp::UnmapAll).is_ok(), "the container cannot be emptied");
        Ok(self.model.domain(Type1Kernel::V6_12)?)
    }

    fn disagrees(&mut self, ops: &[TraceOp]) -> bool {
        let Ok(mut domain) = self.emptied() else { return false };
        ops.iter().any(|op| self.host.apply(op) != domain.apply(op))
    }
}
