//! Every host call of the map path, made to fail in every way: each kind of request × each kind of call × each errno × each
//! occurrence of the call, walked until the request makes no further one, then the same with a second call failing on the
//! way back. After each run the law holds (OK means equal, against the naive model), the status says what kind of failure
//! it was, and a device reset leaves nothing behind and a device that works.

use std::collections::BTreeMap;
use std::fmt;

use virtio_iommu_spec::{Request, Status};

use crate::Failure;
use crate::model::{CALLS, Fault, Op, Operation, Pair, Tally};
use crate::world::{FEATURES, Memory, PAGE, Rules};

/// The kernel's answers that are tried.
const ERRNOS: [i32; 12] = [1, 4, 5, 11, 12, 14, 16, 17, 19, 22, 25, 28];
/// ENOMEM and ENOSPC: the guest is told NOMEM. All others are DEVERR.
const EXHAUSTED: [i32; 2] = [12, 28];

/// What was reached.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Runs in which the fault happened.
    pub runs: u64,
    /// Runs in which two faults happened.
    pub pairs: u64,
    /// Occurrences of a call, by request and kind of call.
    pub sites: BTreeMap<(&'static str, String), usize>,
}

impl Report {
    /// The calls that were reached somewhere.
    pub fn calls(&self) -> usize {
        CALLS
            .iter()
            .filter(|call| {
                self.sites.keys().any(|(_, name)| name.split(' ').next() == Some(&*format!("{call:?}")))
            })
            .count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |later: bool| -> usize {
            self.sites
                .iter()
                .filter(|((_, call), _)| call.contains("after") == later)
                .map(|(_, count)| count)
                .sum()
        };
        write!(
            f,
            "faults: {} of {} calls of the type1 leg, all {} sites in {} kinds of request failed with {} errnos each, \
             and {} calls after a first failure; {} runs with one fault, {} with two, 0 violations",
            self.calls(),
            CALLS.len(),
            of(false),
            self.sites.keys().map(|(name, _)| name).collect::<std::collections::BTreeSet<_>>().len(),
            ERRNOS.len(),
            of(true),
            self.runs,
            self.pairs
        )
    }
}

/// What comes before, and the operation under test.
struct Scenario {
    name: &'static str,
    before: Vec<Op>,
    op: Op,
}

fn attach(endpoint: u32, domain: u32, flags: u32) -> Op {
    Op::Request(Request::Attach { domain, endpoint, flags, reserved: 0 })
}

fn detach(endpoint: u32, domain: u32) -> Op {
    Op::Request(Request::Detach { domain, endpoint })
}

fn map(domain: u32, page: u64) -> Op {
    let (virt_start, virt_end) = (page * PAGE, page * PAGE + 0xfff);
    Op::Request(Request::Map { domain, virt_start, virt_end, phys_start: PAGE, flags: 3 })
}

fn unmap_all(domain: u32) -> Op {
    Op::Request(Request::Unmap { domain, virt_start: 0, virt_end: u64::MAX, reserved: 0 })
}

fn scenarios() -> Vec<Scenario> {
    let two_legs = vec![attach(8, 1, 0), attach(9, 1, 0), attach(16, 1, 0), map(1, 1), map(1, 2), map(1, 4)];
    let moved = [two_legs.clone(), vec![attach(24, 2, 0), map(2, 7), map(2, 8)]].concat();
    let everywhere = [moved.clone(), vec![Op::Bypass(1)]].concat();
    let half = [moved.clone(), vec![attach(8, 2, 0)]].concat();
    let half_bypass = [moved.clone(), vec![attach(8, 3, 1)]].concat();
    let with = |more: Vec<Op>| [two_legs.clone(), more].concat();
    let scenario = |name, before, op| Scenario { name, before, op };
    vec![
        scenario("map", two_legs.clone(), map(1, 9)),
        scenario("map on three legs", with(vec![attach(24, 1, 0)]), map(1, 9)),
        scenario("unmap", two_legs.clone(), unmap_all(1)),
        scenario("unmap on three legs", with(vec![attach(24, 1, 0)]), unmap_all(1)),
        scenario("attach: new domain", vec![], attach(8, 1, 0)),
        scenario("attach: replay", two_legs.clone(), attach(24, 1, 0)),
        scenario("attach: move", moved.clone(), attach(24, 1, 0)),
        scenario("attach: into bypass", moved.clone(), attach(24, 3, 1)),
        scenario("attach: out of bypass", with(vec![attach(24, 3, 1)]), attach(24, 1, 0)),
        scenario("attach: while bypass is on", with(vec![Op::Bypass(1)]), attach(24, 1, 0)),
        scenario("attach: first of a group", moved.clone(), attach(8, 2, 0)),
        scenario("attach: last of a group", half.clone(), attach(9, 2, 0)),
        scenario("attach: first of a group, back", half.clone(), attach(8, 1, 0)),
        scenario("attach: last of a group into bypass", half_bypass, attach(9, 3, 1)),
        scenario("detach", moved.clone(), detach(24, 2)),
        scenario("detach: one of a group between domains", half.clone(), detach(8, 2)),
        scenario("unmap while a group is between domains", half.clone(), unmap_all(2)),
        scenario("bypass on while a group is between domains", half, Op::Bypass(1)),
        scenario("detach: one of a group", two_legs.clone(), detach(8, 1)),
        scenario("detach: into bypass", everywhere.clone(), detach(24, 2)),
        scenario("bypass on", vec![attach(8, 1, 0), map(1, 3)], Op::Bypass(1)),
        scenario("bypass off", vec![attach(8, 1, 0), map(1, 3), Op::Bypass(1)], Op::Bypass(0)),
        scenario("device reset", moved, Op::Reset(FEATURES)),
        scenario("device reset into bypass", everywhere.clone(), Op::Reset(FEATURES)),
        scenario("system reset", everywhere, Op::SystemReset(FEATURES)),
    ]
}

/// Walks all sites.
pub fn run() -> Result<Report, Failure> {
    let memory = Memory::new();
    let mut report = Report::default();
    for scenario in scenarios() {
        for call in CALLS {
            for errno in ERRNOS {
                walk(
                    &scenario,
                    &memory,
                    |skip| [Some(Fault { call, skip, times: 1, errno }), None],
                    |at| {
                        report.runs += 1;
                        let sites = report.sites.entry((scenario.name, format!("{call:?}"))).or_default();
                        *sites = (*sites).max(at + 1);
                    },
                )?;
            }
        }
        pairs(&scenario, &memory, &mut report)?;
    }
    Ok(report)
}

/// Two faults: the second is walked for each place of the first.
fn pairs(scenario: &Scenario, memory: &Memory, report: &mut Report) -> Result<(), Failure> {
    for first in CALLS {
        let sites = report.sites.get(&(scenario.name, format!("{first:?}"))).copied().unwrap_or(0);
        for skip in 0..sites {
            for second in CALLS {
                let first = Some(Fault { call: first, skip, times: 1, errno: 5 });
                let faults = |skip| [Some(Fault { call: second, skip, times: 2, errno: 12 }), first];
                let site = (
                    scenario.name,
                    format!("{second:?} after {:?}", first.map(|fault| (fault.call, fault.skip))),
                );
                walk(scenario, memory, faults, |at| {
                    report.pairs += 1;
                    report.sites.insert(site.clone(), at + 1);
                })?;
            }
        }
    }
    Ok(())
}

/// Runs the scenario with the fault at each occurrence of its call until there is no further one.
fn walk(
    scenario: &Scenario,
    memory: &Memory,
    faults: impl Fn(usize) -> [Option<Fault>; 2],
    mut reached: impl FnMut(usize),
) -> Result<(), Failure> {
    for skip in 0.. {
        let faults = faults(skip);
        let wrong = |what: String| Failure(format!("{}, {faults:?}: {what}", scenario.name));
        if !once(scenario, memory, faults).map_err(wrong)? {
            return Ok(());
        }
        reached(skip);
        if skip > 1000 {
            return Err(wrong("the request makes no end of calls".into()));
        }
    }
    Ok(())
}

/// One run; whether the (first) fault happened.
fn once(scenario: &Scenario, memory: &Memory, faults: [Option<Fault>; 2]) -> Result<bool, String> {
    let rules = Rules::plain();
    let mut pair = Pair::new(&rules, memory);
    let tally = &mut Tally::default();
    let plain = |op| Operation { op, faults: [None; 2], access: (8, PAGE, true) };
    for op in &scenario.before {
        let answer = pair.step(&plain(*op), true, tally)?;
        if !matches!(answer, None | Some(Status::Ok)) {
            return Err(format!("the preparation {op:?} was answered {answer:?}"));
        }
    }
    let answer = pair.step(&Operation { op: scenario.op, faults, access: (8, PAGE, true) }, true, tally)?;
    let fired = pair.fired;
    check_status(answer, faults, fired)?;
    // Whatever happened: a reset ends it, nothing is left, and the device works.
    for op in [Op::Bypass(0), Op::Reset(FEATURES)] {
        pair.step(&plain(op), true, tally)?;
    }
    if let Some(group) = pair.world.hosts.iter().position(|host| !host.mappings().is_empty()) {
        return Err(format!("group {group} holds {:x?} after a reset", pair.world.hosts[group].mappings()));
    }
    for op in [attach(8, 1, 0), attach(16, 1, 0), attach(24, 1, 0), map(1, 9)] {
        match pair.step(&plain(op), true, tally)? {
            Some(Status::Ok) => {}
            other => return Err(format!("after a reset {op:?} is answered {other:?}")),
        }
    }
    match pair.world.hosts.iter().all(|host| host.mappings().len() == 1) {
        true => Ok(fired),
        false => Err("after a reset a mapping does not reach every container".into()),
    }
}

/// With a single fault the status says what kind it was.
fn check_status(answer: Option<Status>, faults: [Option<Fault>; 2], fired: bool) -> Result<(), String> {
    let ([Some(fault), None], true) = (faults, fired) else { return Ok(()) };
    let expected = if EXHAUSTED.contains(&fault.errno) { Status::NoMem } else { Status::DevErr };
    match answer {
        None | Some(Status::Ok) => Ok(()),
        Some(status) if status == expected => Ok(()),
        Some(status) => Err(format!("answered {status:?}, the errno calls for {expected:?}")),
    }
}
