//! What a run of the benchmark has printed, as numbers.
//!
//! Invariant: a reading that is missing is missing, never zero.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The middle and the far end of one run, in ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Percentiles {
    /// Half of the samples took no longer.
    pub p50: u64,
    /// All but one in a hundred took no longer.
    pub p99: u64,
}

/// What `rig map-bench --json` prints.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Maps {
    /// What looking at the clock costs, in ns.
    pub clock_ns: u64,
    /// One 4 KiB map, one entry for each run.
    pub map: Vec<Percentiles>,
    /// One 4 KiB unmap.
    pub unmap: Vec<Percentiles>,
    /// Map and unmap of 4 KiB, beside so many live mappings.
    pub pairs: Vec<Pairs>,
    /// Map and unmap of 32 MiB in pages of 4 KiB: how often in a second.
    pub large_per_second: Vec<f64>,
    /// The same in pages of 2 MiB; empty where there are none.
    #[serde(default)]
    pub huge_per_second: Vec<f64>,
}

/// Pairs of a map and an unmap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pairs {
    /// Mappings that were there all the while.
    pub live: u64,
    /// Pairs in a second, one entry for each run.
    pub per_second: Vec<f64>,
}

/// What `rig read-bench --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reads {
    /// Reads in a second, one entry for each run.
    pub per_second: Vec<f64>,
    /// One read, one entry for each run.
    pub latency: Vec<Percentiles>,
}

/// What `rig exit-bench --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exits {
    /// One access, one entry for each run.
    pub access: Vec<Percentiles>,
}

/// What the host's counters said from one mark of the guest to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Exits of all guests.
    pub exits: u64,
    /// Time that the monitor's processes ran, in hundredths of a second.
    pub ticks: u64,
    /// The same of the thread that serves the virtual IOMMU.
    pub worker_ticks: u64,
    /// Times that this thread slept or was made to wait.
    pub switches: u64,
}

/// One life of a monitor.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Life {
    /// Seconds from its start to the first word of the guest's first process.
    pub up: Option<f64>,
    /// The kind of the disk's domain in the guest.
    pub domain: Option<String>,
    /// Direct reads.
    pub reads: Option<Reads>,
    /// Maps and unmaps.
    pub maps: Option<Maps>,
    /// The same by a process of the host, in turns with the guest: its run k came right after the guest's.
    pub beside: Option<Maps>,
    /// Accesses that the monitor answers in the processor's exit.
    pub exits: Option<Exits>,
    /// Counters of the host by what the guest did meanwhile.
    pub counted: BTreeMap<String, Counted>,
    /// Resident memory of its processes without shared memory, in KiB.
    pub own_kib: Option<u64>,
    /// Guest RAM that the host has in huge pages, in MiB, as often as it was looked at.
    pub huge_mib: Vec<u64>,
    /// What went wrong.
    pub failures: Vec<String>,
}

/// All lives of one boot of the lab host, by name.
#[derive(Debug, Default, Serialize)]
pub struct Readings {
    /// Second tries, after a guest that did not come to its end.
    pub retries: u32,
    /// In the order of their names.
    pub lives: BTreeMap<String, Life>,
}

impl Readings {
    /// Reads the console of the run.
    pub fn read(console: &str) -> Readings {
        let mut readings = Readings::default();
        let mut name = None;
        for line in console.lines().filter_map(|line| line.trim_end().strip_prefix("@bench ")) {
            let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
            match (key, &name) {
                ("retry", _) => readings.retries += 1,
                // A second life of one name is a second try.
                ("life", _) => {
                    readings.lives.insert(rest.to_owned(), Life::default());
                    name = Some(rest.to_owned());
                }
                ("died", _) => name = None,
                (_, Some(name)) => {
                    readings.lives.entry(name.clone()).or_default().note(key, rest);
                }
                _ => {}
            }
        }
        readings
    }

    /// The floor's runs beside all lives, as if they were one process's.
    pub fn floor(&self) -> Maps {
        let mut all = Maps::default();
        for maps in self.lives.values().filter_map(|life| life.beside.as_ref()) {
            all.clock_ns = maps.clock_ns;
            all.map.extend(&maps.map);
            all.unmap.extend(&maps.unmap);
            all.large_per_second.extend(&maps.large_per_second);
            all.huge_per_second.extend(&maps.huge_per_second);
            for pairs in &maps.pairs {
                match all.pairs.iter_mut().find(|there| there.live == pairs.live) {
                    Some(there) => there.per_second.extend(&pairs.per_second),
                    None => all.pairs.push(pairs.clone()),
                }
            }
        }
        all
    }
}

impl Life {
    fn note(&mut self, key: &str, rest: &str) {
        match key {
            "up" => self.up = rest.parse().ok().map(|hundredths: f64| hundredths / 100.0),
            "domain" => self.domain = Some(rest.to_owned()),
            "beside" => self.beside = serde_json::from_str(rest).ok(),
            "own-kib" => self.own_kib = rest.split(' ').next().and_then(|kib| kib.parse().ok()),
            "huge-mib" => self.huge_mib.extend(rest.parse::<u64>()),
            "fail" => self.failures.push(rest.to_owned()),
            "span" => {
                if let Some((name, counted)) = counted(rest) {
                    self.counted.insert(name, counted);
                }
            }
            "result" => match rest.split_once(' ') {
                Some(("reads", json)) => self.reads = serde_json::from_str(json).ok(),
                Some(("exits", json)) => self.exits = serde_json::from_str(json).ok(),
                Some(("maps", json)) => self.maps = serde_json::from_str(json).ok(),
                _ => {}
            },
            _ => {}
        }
    }
}

/// `NAME`, the counters before, the same counters after.
fn counted(text: &str) -> Option<(String, Counted)> {
    let mut words = text.split(' ');
    let name = words.next()?.to_owned();
    let numbers: Vec<u64> = words.map(str::parse).collect::<Result<_, _>>().ok()?;
    let [before, after] = [numbers.get(..4)?, numbers.get(4..8)?];
    let risen = |n: usize| after[n].saturating_sub(before[n]);
    Some((name, Counted { exits: risen(0), ticks: risen(1), worker_ticks: risen(2), switches: risen(3) }))
}

/// The middle value, the lower of two; `None` of nothing.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let values = sorted(values);
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// From the lowest to the highest.
pub fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests;
