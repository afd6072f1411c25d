//! The comparison: each work done by the host itself, behind QEMU, behind mixvm, and what is wanted of it.

use serde::Serialize;

use super::readings::{Counted, Life, Maps, Percentiles, Readings, median};
use super::times::{Cell, Times};

/// The one life behind each monitor in which everything is measured.
pub const QEMU: &str = "qemu";
/// The same behind mixvm.
pub const MIXVM: &str = "mixvm";
/// mixvm with `poll=off`.
pub const UNPOLLED: &str = "mixvm-poll-off";
/// Ending of the name of a life without a virtual IOMMU.
pub const WITHOUT: &str = "-no-viommu";
/// Ending of the name of a second life of one kind, in which only reads are measured.
pub const AGAIN: &str = "-again";
/// Middle of the names of lives that only start.
pub const START: &str = "-start-";
/// Pairs that a guest does while the host counts, more than in the count of what the program costs by itself.
const COUNTED_PAIRS: f64 = 2000.0;

/// What is wanted of mixvm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Target {
    /// At most so many times the floor beside it.
    AtMostFloor(f64),
    /// At least this part of the floor beside it.
    AtLeastFloor(f64),
    /// Less than QEMU.
    LessThanQemu,
    /// At most.
    AtMost(f64),
    /// At least.
    AtLeast(f64),
    /// Nothing; it explains other rows.
    None,
}

/// One work.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What is done.
    pub work: String,
    /// Unit of the values.
    pub unit: &'static str,
    /// By a process of the host: the middle of its runs beside all guests.
    pub floor: Option<f64>,
    /// By a guest behind QEMU.
    pub qemu: Option<Cell>,
    /// By a guest behind mixvm.
    pub mixvm: Option<Cell>,
    /// The same without polling.
    pub unpolled: Option<Cell>,
    /// What is wanted.
    pub target: Target,
}

impl Row {
    /// Whether mixvm is as wanted; `None` when nothing is, or a value is missing.
    pub fn met(&self) -> Option<bool> {
        let mixvm = self.mixvm.as_ref()?;
        let times = || mixvm.times.as_ref().map(|times| times.median);
        match self.target {
            Target::AtMostFloor(most) => Some(times()? <= most),
            Target::AtLeastFloor(least) => Some(times()? >= least),
            Target::LessThanQemu => Some(mixvm.value < self.qemu.as_ref()?.value),
            Target::AtMost(most) => Some(mixvm.value <= most),
            Target::AtLeast(least) => Some(mixvm.value >= least),
            Target::None => None,
        }
    }
}

/// All rows, in the order in which they are shown.
pub fn rows(readings: &Readings) -> Vec<Row> {
    let lives = Lives { floor: readings.floor(), readings };
    let mut rows = vec![
        lives.latency("4 KiB map, p50", |maps| &maps.map, |run| run.p50, Target::AtMostFloor(3.0)),
        lives.latency("4 KiB map, p99", |maps| &maps.map, |run| run.p99, Target::None),
        lives.latency("4 KiB unmap, p50", |maps| &maps.unmap, |run| run.p50, Target::AtMostFloor(4.0)),
        lives.latency("4 KiB unmap, p99", |maps| &maps.unmap, |run| run.p99, Target::None),
    ];
    let live = lives.live();
    for &live in &live {
        let work = format!("pairs of map and unmap, {live} live");
        rows.push(lives.of_maps(work, "/s", Target::AtLeastFloor(0.25), |maps| pairs(maps, live)));
    }
    if let [first, .., last] = live[..] {
        rows.push(lives.growth(first, last));
    }
    for (pages, runs) in [("4 KiB", small as Runs), ("2 MiB", huge)] {
        let work = format!("32 MiB map and unmap, pages of {pages}");
        rows.push(lives.of_maps(work, "/s", Target::AtLeastFloor(0.2), runs));
    }
    rows.extend(lives.whole_guest());
    rows
}

/// One measurement, run by run.
type Runs = fn(&Maps) -> Vec<f64>;

fn small(maps: &Maps) -> Vec<f64> {
    maps.large_per_second.clone()
}

fn huge(maps: &Maps) -> Vec<f64> {
    maps.huge_per_second.clone()
}

fn pairs(maps: &Maps, live: u64) -> Vec<f64> {
    let pairs = maps.pairs.iter().find(|pairs| pairs.live == live);
    pairs.map(|pairs| pairs.per_second.clone()).unwrap_or_default()
}

/// Each run's time in µs.
fn micros(runs: &[Percentiles], of: fn(&Percentiles) -> u64) -> Vec<f64> {
    runs.iter().map(|run| of(run) as f64 / 1000.0).collect()
}

struct Lives<'a> {
    floor: Maps,
    readings: &'a Readings,
}

impl Lives<'_> {
    fn life(&self, name: &str) -> Option<&Life> {
        self.readings.lives.get(name)
    }

    /// The lives of one kind: the one in which all is measured, the second one, and those that only start.
    fn alike(&self, name: &str) -> impl Iterator<Item = &Life> {
        let (again, start) = (format!("{name}{AGAIN}"), format!("{name}{START}"));
        let lives = self.readings.lives.iter();
        lives
            .filter(move |(there, _)| *there == name || **there == again || there.starts_with(&start))
            .map(|(_, life)| life)
    }

    /// Numbers of live mappings beside which pairs were counted.
    fn live(&self) -> Vec<u64> {
        let mut maps = [MIXVM, QEMU, UNPOLLED].into_iter().filter_map(|name| self.life(name)?.maps.as_ref());
        maps.next().map(|maps| maps.pairs.iter().map(|pairs| pairs.live).collect()).unwrap_or_default()
    }

    /// What a guest's runs came to, and in multiples of the floor's beside it.
    fn cell(&self, name: &str, runs: impl Fn(&Maps) -> Vec<f64>) -> Option<Cell> {
        let life = self.life(name)?;
        let guest = runs(life.maps.as_ref()?);
        let times = life.beside.as_ref().and_then(|floor| Times::of(&guest, &runs(floor)));
        Some(Cell { value: median(guest)?, times })
    }

    fn of_maps(
        &self,
        work: String,
        unit: &'static str,
        target: Target,
        runs: impl Fn(&Maps) -> Vec<f64>,
    ) -> Row {
        let [qemu, mixvm, unpolled] = [QEMU, MIXVM, UNPOLLED].map(|name| self.cell(name, &runs));
        Row { work, unit, floor: median(runs(&self.floor)), qemu, mixvm, unpolled, target }
    }

    /// How the rate grows with the live mappings. Of a guest it is a ratio of ratios: both numbers are counted minutes apart,
    /// each beside its own floor.
    fn growth(&self, first: u64, last: u64) -> Row {
        let floor = |live| median(pairs(&self.floor, live));
        let times = |name: &str, live| Some(self.cell(name, |maps| pairs(maps, live))?.times?.median);
        let grown = |name: &str| Some(Cell::from(times(name, last)? / times(name, first)?));
        let [qemu, mixvm, unpolled] = [QEMU, MIXVM, UNPOLLED].map(grown);
        Row {
            work: format!("pairs, {last} live ÷ {first} live; of guests, against the floor's"),
            unit: "",
            floor: floor(last).zip(floor(first)).map(|(last, first)| last / first),
            qemu,
            mixvm,
            unpolled,
            target: Target::AtLeast(0.8),
        }
    }

    fn latency(
        &self,
        work: &str,
        runs: fn(&Maps) -> &Vec<Percentiles>,
        of: fn(&Percentiles) -> u64,
        target: Target,
    ) -> Row {
        self.of_maps(work.to_owned(), "µs", target, |maps| micros(runs(maps), of))
    }

    /// A row of values that have no floor.
    fn of_lives(
        &self,
        work: &str,
        unit: &'static str,
        target: Target,
        value: impl Fn(&str) -> Option<f64>,
    ) -> Row {
        let [qemu, mixvm, unpolled] = [QEMU, MIXVM, UNPOLLED].map(|name| value(name).map(Cell::from));
        Row { work: work.to_owned(), unit, floor: None, qemu, mixvm, unpolled, target }
    }

    fn whole_guest(&self) -> Vec<Row> {
        let reads = |name: &str| {
            let runs = self.alike(name).filter_map(|life| life.reads.as_ref());
            median(runs.flat_map(|reads| reads.per_second.iter().copied()))
        };
        let beside = |name: &str| reads(&format!("{}{WITHOUT}", name.trim_end_matches("-poll-off")));
        let counted = |name: &str, what: &str| self.life(name)?.counted.get(what).copied();
        let a_pair = |name: &str, of: fn(&Counted) -> u64| {
            let risen = of(&counted(name, "pairs")?).saturating_sub(of(&counted(name, "few")?));
            Some(risen as f64 / COUNTED_PAIRS)
        };
        let idle = |of: fn(&Counted) -> u64| move |name: &str| counted(name, "idle").map(|it| of(&it) as f64);
        vec![
            self.of_lives("NVMe reads of 4 KiB", "/s", Target::None, reads),
            self.of_lives("the same without a virtual IOMMU", "/s", Target::None, beside),
            self.of_lives(
                "part of the reads that the virtual IOMMU leaves",
                "",
                Target::AtLeast(0.8),
                |name| Some(reads(name)? / beside(name)?),
            ),
            self.of_lives("exits from the guest for one pair", "", Target::None, |name| {
                a_pair(name, |it| it.exits)
            }),
            self.of_lives("an access that is answered in the exit, p50", "µs", Target::None, |name| {
                median(micros(&self.life(name)?.exits.as_ref()?.access, |run| run.p50))
            }),
            self.of_lives("monitor's processor time for one pair", "µs", Target::None, |name| {
                Some(a_pair(name, |it| it.ticks)? * 10_000.0)
            }),
            self.of_lives(
                "wake-ups of the worker in 5 s of an idle guest",
                "",
                Target::AtMost(0.0),
                |name| idle(|it| it.switches)(name).filter(|_| name != QEMU),
            ),
            self.of_lives("its processor time meanwhile", "ms", Target::AtMost(0.0), |name| {
                idle(|it| it.worker_ticks)(name).filter(|_| name != QEMU).map(|ticks| ticks * 10.0)
            }),
            self.of_lives("start to the guest's first process", "s", Target::LessThanQemu, |name| {
                median(self.alike(name).filter_map(|life| life.up))
            }),
            self.of_lives("resident memory less guest RAM", "MiB", Target::AtMost(40.0), |name| {
                Some(self.life(name)?.own_kib? as f64 / 1024.0)
            }),
            self.of_lives("guest RAM in huge pages of the host", "MiB", Target::None, |name| {
                self.life(name)?.huge_mib.iter().min().map(|least| *least as f64)
            }),
        ]
    }
}

#[cfg(test)]
mod tests;
