//! I13: operations of several threads have one order, and the generation tells it.

use std::sync::Barrier;
use std::thread;

use super::super::*;
use super::kit::*;
use super::ops::{Op, Outcome, apply, device};

const THREADS: u32 = 4;
/// Each thread's operations, and how often all of that is done. Miri is a thousand times slower.
const ROUNDS: u64 = if cfg!(miri) { 12 } else { 150 };
const TIMES: u32 = if cfg!(miri) { 1 } else { 20 };

/// What one thread does in one round: everybody fights for the same few pages at the top.
fn op(thread: u32, round: u64) -> Op {
    let page = GIB4 - (1 + (round * 7 + u64::from(thread) * 3) % 12) * PAGE;
    match (round + u64::from(thread)) % 4 {
        0 => Op::Map(request(page, PAGE)),
        1 => Op::Prepare(1 + thread % 2, (round % 8) * 0x1_0000 + 0x40),
        2 => Op::Unmap(UnmapRequest::range(page, PAGE)),
        _ => Op::Release(1 + thread % 2, (round % 8) * 0x1_0000 + 0x40),
    }
}

fn fresh() -> MixedDomain {
    let mut domain = MixedDomain::new(Config { reclaim: true, ..Config::seed(low()) }).unwrap();
    domain.attach(device(1)).unwrap();
    domain.attach(device(2)).unwrap();
    domain
}

/// An operation, what it said, and the generations before and after.
type Record = (Op, Outcome, u64, u64);

fn run(shared: &SharedDomain) -> Vec<Record> {
    let start = Barrier::new(THREADS as usize);
    let work = |thread: u32| {
        start.wait();
        let mut seen = 0;
        let one = |round| {
            let op = op(thread, round);
            let act = |domain: &mut MixedDomain| (domain.generation(), apply(domain, &op));
            let ((before, outcome), after) = shared.with(act);
            let now = shared.generation();
            assert!(after <= now && seen <= now, "the generation went back");
            seen = now;
            (op, outcome, before, after)
        };
        (0..ROUNDS).map(one).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|n| scope.spawn(move || work(n))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn i13_what_threads_saw_is_what_one_thread_would_have_seen() {
    for _ in 0..TIMES {
        let shared = SharedDomain::new(fresh());
        let mut records = run(&shared);
        // At one generation: first what changed nothing there, then the one that left it.
        records.sort_by_key(|(_, _, before, after)| (*before, after != before));
        let mut replay = fresh();
        for (op, outcome, before, after) in &records {
            assert_eq!(replay.generation(), *before, "two changes from one generation");
            assert_eq!(apply(&mut replay, op), *outcome, "{op:?} at generation {before}");
            assert_eq!(replay.generation(), *after);
        }
        let (same, _) = shared.with(|domain| domain.state() == replay.state());
        assert!(same);
        assert!(records.iter().any(|(_, outcome, ..)| outcome.is_err()), "nobody ever collided");
    }
}

/// That two moves in opposite directions do not wait for each other is for loom to show.
#[test]
fn a_device_moves_between_shared_domains_and_not_into_its_own() {
    let make = |id| {
        let mut domain = MixedDomain::new(Config::seed(low())).unwrap();
        domain.attach(Device::new(id)).unwrap();
        SharedDomain::new(domain)
    };
    let (one, two) = (make(1), make(2));
    two.fork_into(2, &one).unwrap();
    one.fork_into(1, &two).unwrap();
    let has = |domain: &SharedDomain, id| domain.with(|domain| domain.state().attached.contains_key(&id)).0;
    assert!(has(&one, 2) && has(&two, 1));
    assert_eq!(one.generation(), one.with(|domain| domain.generation()).0);
    assert_eq!(errno(one.fork_into(2, &one.clone())), Errno::Inval);
}
