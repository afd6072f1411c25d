//! The comparison against containers without a kernel: one that is right, and some that are wrong in one thing.

use base::{GuestRam, HostMemory};
use data_model::Span;
use iommu_domain::mixed::model::{HostTrace, TraceOp, Traced, Type1Model};
use iommu_domain::mixed::{Errno, Type1Kernel};
use iommu_domain::testing::{FakeHost, FakeLimits};
use iommu_domain::{DmaHost, Perm};

use super::{Answer, Diff};
use crate::trace::Trace;

const OPS: u64 = 20_000;

/// A container that answers what `lie` makes of the right answer.
struct Liar<F> {
    honest: HostTrace<FakeHost>,
    lie: F,
}

impl<F: FnMut(&TraceOp, Answer) -> Answer> Traced for Liar<F> {
    fn can_ask(&self, op: &TraceOp) -> bool {
        self.honest.can_ask(op)
    }

    fn apply(&mut self, op: &TraceOp) -> Answer {
        let answer = self.honest.apply(op);
        (self.lie)(op, answer)
    }
}

fn model(entries: u32) -> Type1Model {
    let allowed = [(0, 0xfedf_ffff), (0xfef0_0000, (1 << 39) - 1)];
    Type1Model {
        granule: 0x1000,
        allowed: allowed.into_iter().filter_map(|(start, last)| Span::new(start, last)).collect(),
        entries,
        memory: 64 << 12,
        lock_limit: None,
    }
}

fn fake(model: &Type1Model) -> (FakeHost, HostTrace<FakeHost>) {
    let ram = GuestRam::new(&[Span::from_len(0, model.memory).unwrap()]).unwrap();
    let (_, memory) = HostMemory::of_ram(&ram).pop().unwrap();
    let limits =
        FakeLimits { granule: model.granule, allowed: model.allowed.clone(), entries: model.entries };
    let host = FakeHost::new(limits).unwrap();
    (host.clone(), HostTrace::new(host, memory))
}

fn told(lie: impl FnMut(&TraceOp, Answer) -> Answer, free: impl Fn(u32) -> u32) -> String {
    let model = model(400);
    let (host, honest) = fake(&model);
    let available = || host.available().map(&free);
    let mut diff = Diff::new(&model, Liar { honest, lie }, &available).unwrap();
    match diff.run(Trace::new(&model, 1, OPS), OPS, |_| ()) {
        Ok(tally) => tally.to_string(),
        Err(error) => format!("FAILED {error:#}"),
    }
}

#[test]
fn a_container_that_answers_rightly_passes_and_every_answer_occurs() {
    let model = model(400);
    let (host, honest) = fake(&model);
    let available = || host.available();
    let mut diff = Diff::new(&model, honest, &available).unwrap();
    let mut last = 0;
    let tally = diff.run(Trace::new(&model, 1, OPS), OPS, |asked| last = asked).unwrap();
    assert_eq!(last, OPS);
    for (kind, outcome) in [
        ("map", "done"),
        ("map", "EEXIST"),
        ("map", "EINVAL"),
        ("map", "ENOSPC"),
        ("unmap", "bytes"),
        ("unmap", "nothing there"),
        ("unmap", "EINVAL"),
        ("unmap all", "bytes"),
    ] {
        assert!(tally.of(kind, outcome) > 0, "{kind} {outcome}: {tally}");
    }
    assert_eq!(host.mappings(), []);
}

#[test]
fn a_container_that_can_be_asked_everything_is_asked_for_every_mistake() {
    let model = model(400);
    let host = model.domain(Type1Kernel::V6_12).unwrap();
    let mut diff = Diff::new(&model, host, &|| None).unwrap();
    let tally = diff.run(Trace::new(&model, 1, OPS), OPS, |_| ()).unwrap();
    for (kind, outcome) in [
        ("raw map", "done"),
        ("raw map", "EEXIST"),
        ("raw map", "EFAULT"),
        ("raw map", "EINVAL"),
        ("raw unmap", "bytes"),
        ("raw unmap", "nothing there"),
        ("raw unmap", "EINVAL"),
    ] {
        assert!(tally.of(kind, outcome) > 0, "{kind} {outcome}: {tally}");
    }
    let other = model.domain(Type1Kernel::V7_3).unwrap();
    let mut diff = Diff::new(&model, other, &|| None).unwrap();
    let Err(error) = diff.run(Trace::new(&model, 1, OPS), OPS, |_| ()) else { panic!("they differ") };
    assert!(error.to_string().contains("the host says EOVERFLOW, the model EINVAL"), "{error}");
}

#[test]
fn a_wrong_error_is_found_with_the_requests_that_show_it() {
    let lie = |_: &TraceOp, answer: Answer| {
        answer.map_err(|errno| match errno {
            Errno::Exist => Errno::Busy,
            other => other,
        })
    };
    let told = told(lie, |free| free);
    assert!(told.contains("the host says EBUSY, the model EEXIST"), "{told}");
    let (_, trace) = told.split_once("to an empty container, 2 requests:\n").expect(&told);
    let lines: Vec<_> = trace.lines().filter(|line| line.starts_with("  ")).collect();
    let [first, second] = lines[..] else { panic!("{told}") };
    assert!(first.ends_with(": OK, 0x0 bytes"), "what is agreed upon is told once: {told}");
    assert!(second.ends_with(": EBUSY, the model EEXIST"), "{told}");
}

#[test]
fn what_needs_more_than_is_remembered_is_said_to_be_so() {
    let mut asked = 0;
    let lie = |_: &TraceOp, answer: Answer| {
        asked += 1;
        if asked == 10_000 { Err(Errno::Busy) } else { answer }
    };
    let told = told(lie, |free| free);
    assert!(told.contains(" mappings are live, the last 4096 requests alone do not do it:\n  "), "{told}");
}

#[test]
fn a_wrong_number_of_bytes_is_found() {
    let lie = |op: &TraceOp, answer: Answer| match op {
        TraceOp::Unmap { .. } => answer.map(|bytes| bytes.saturating_sub(0x1000)),
        _ => answer,
    };
    let told = told(lie, |free| free);
    assert!(told.contains("unmap 0x") && told.contains("bytes, the model OK, 0x"), "{told}");
    assert!(
        told.contains("to an empty container, 2 requests:\n  map 0x"),
        "what lay between is left out: {told}"
    );
}

#[test]
fn a_mapping_that_stays_behind_is_found_by_the_count() {
    let told = told(|_, answer| answer, |free| free.saturating_sub(1));
    assert!(
        told.starts_with("FAILED after request 0 the host takes 399 more mappings, the model 400"),
        "{told}"
    );
}

#[test]
fn permissions_are_part_of_what_is_asked() {
    let asks = |wanted: Perm| {
        let is = |op: TraceOp| matches!(op, TraceOp::Map { perm, .. } if perm == wanted);
        Trace::new(&model(400), 1, OPS).take(1000).any(is)
    };
    assert!([Perm::NONE, Perm::READ, Perm::WRITE, Perm::READ_WRITE].into_iter().all(asks));
}
