//! What one guest's life left in its results folder, parsed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::console::guest_fact;
use crate::exec;
use crate::faults::faults;
use crate::viommu::Viommu;

/// A group as the guest's kernel shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Its number in the guest.
    pub number: String,
    /// The kind of its domain: `DMA-FQ`, `DMA`, `identity`.
    pub kind: String,
    /// The device's address in the guest.
    pub device: String,
    /// The device's driver in the guest.
    pub driver: String,
}

/// Interrupts of one vector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Vector {
    /// The name that the driver gave it.
    pub name: String,
    /// How many the guest took.
    pub taken: u64,
}

/// A halt of the machine, as the host saw it, and what the guest noticed. Times in hundredths of a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Halt {
    /// Processor time of the threads that run the guest, in a while before.
    pub time_running: Option<u64>,
    /// The same while halted.
    pub time_halted: Option<u64>,
    /// Bytes that came from the guest's console while halted.
    pub console: Option<u64>,
    /// Pages that the host's kernel had pinned while halted.
    pub pinned_pages: Option<u64>,
    /// The virtual IOMMU while halted, when nothing changes, with each mapping.
    pub shown: Option<Viommu>,
    /// Lines of the guest's kernel about processors or tasks that stood still.
    pub barks: Option<u64>,
    /// Commands of `mixvm` that were not carried out.
    pub refused: Vec<String>,
}

/// What a process of the VMM held at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// The moment's name.
    pub moment: String,
    /// The process: `mixvm` is main, the others are called by their role.
    pub role: String,
    /// Open descriptors.
    pub descriptors: u64,
    /// Memory of its own that is present (not guest RAM), in KiB.
    pub memory_kib: u64,
    /// Locked memory, in KiB.
    pub locked_kib: u64,
}

/// The virtual IOMMU at one moment, while the guest stood still.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Look {
    /// The moment's name.
    pub moment: String,
    /// What it showed, with each mapping.
    pub shown: Option<Viommu>,
    /// Pages that the host's kernel had pinned.
    pub pinned_pages: Option<u64>,
}

/// One guest's life, as the guest and the host told it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The VMM's command line.
    pub command: String,
    /// The VMM's exit code.
    pub exit: Option<i32>,
    /// Whether its control socket was still there after its end.
    pub socket_left: bool,
    /// The last lines that the VMM wrote to its standard error.
    pub said: String,
    /// SHA-256 that the guest read through the device.
    pub digest: Option<String>,
    /// SHA-256 of the first MiB, in a life that reads no more.
    pub first_mib: Option<String>,
    /// Whether a copy made by the device read back right.
    pub write: Option<String>,
    /// `ok` when the network answered.
    pub ping: Option<String>,
    /// What the guest says of its emulated devices: word and answer.
    pub emulated: BTreeMap<String, String>,
    /// How often the disk's driver was taken off and put back, and the disk still read right.
    pub rebinds: u64,
    /// Number of processors that the guest saw.
    pub cpus: Option<u64>,
    /// What the guest's clock showed, in seconds since 1970.
    pub date: Option<u64>,
    /// What the host's clock showed before the guest started and after it had ended.
    pub host_dates: (Option<u64>, Option<u64>),
    /// The guest's groups.
    pub groups: Vec<Group>,
    /// The guest's `reserved_regions` lines, led by the group's number.
    pub reserved: Vec<String>,
    /// Interrupts by vector.
    pub vectors: Vec<Vector>,
    /// The guest's kernel log about its IOMMU.
    pub guest_log: Vec<String>,
    /// What the program `rig` said in the guest, or about it on the host; a line `exit CODE WORDS` ends each run of it.
    pub rig: Vec<String>,
    /// What the guest's script found wrong.
    pub guest_failures: Vec<String>,
    /// Seconds from the VMM's start to its end.
    pub seconds: Option<f64>,
    /// Seconds of guest uptime when its disk was there.
    pub disk_up: Option<f64>,
    /// Stalls of the guest that were answered by another try.
    pub retries: u32,
    /// Whether the second try stalled too.
    pub stalled: bool,
    /// Host addresses whose group could be opened after the end.
    pub free: Vec<String>,
    /// Host addresses whose group could not.
    pub busy: Vec<String>,
    /// Locked memory on the host after the end, in KiB.
    pub locked_kib: Option<i64>,
    /// Pages still pinned on the host after the end.
    pub pinned_pages: Option<i64>,
    /// Open files of the whole host after the end.
    pub host_files: Option<u64>,
    /// Memory that the host had to give after the end, in KiB.
    pub host_memory_kib: Option<u64>,
    /// The halt, where there was one.
    pub halt: Halt,
    /// Processes of the VMM after the end.
    pub processes: Option<u64>,
    /// The moment and the process, when one was killed.
    pub struck: Option<String>,
    /// Threads of the guest's processors when a process was killed before they ran.
    pub vcpus: Option<u64>,
    /// What the VMM's processes held, at the moments that the guest chose.
    pub samples: Vec<Sample>,
    /// The virtual IOMMU at some of these moments.
    pub looks: Vec<Look>,
    /// Each kernel that ran in the guest: how many were to follow it, and SHA-256 of the disk.
    pub kernels: Vec<(u32, String)>,
    /// Lines of the host's kernel about DMA faults.
    pub host_faults: Vec<String>,
    /// The virtual IOMMU while the guest waited.
    pub viommu: Option<Viommu>,
    /// Why [`Report::viommu`] is missing.
    pub viommu_error: Option<String>,
    /// Whether `mixvm viommu map` drew its picture, `viommu.svg` in the folder.
    pub drawn: bool,
    /// Where all this was read from.
    pub folder: PathBuf,
}

impl Report {
    /// Reads the results folder of one guest.
    pub fn read(folder: &Path) -> Self {
        let text = |name: &str| {
            String::from_utf8_lossy(&fs::read(folder.join(name)).unwrap_or_default()).into_owned()
        };
        let mut report = Self { command: text("command").trim().to_owned(), ..Self::default() };
        folder.clone_into(&mut report.folder);
        report.said = exec::tail(&folder.join("stderr"), 4);
        for line in text("console").lines() {
            if let Some(fact) = guest_fact(line) {
                report.guest_said(fact);
            }
        }
        for line in text("facts").lines() {
            report.host_said(line);
        }
        report.host_faults = faults(&text("host.dmesg"));
        report.halt.shown = serde_json::from_str(&text("viommu.halted")).ok();
        for look in &mut report.looks {
            look.shown = serde_json::from_str(&text(&format!("viommu.at-{}", look.moment))).ok();
        }
        report.drawn = text("viommu.svg").starts_with("<svg ") && text("viommu.map").starts_with("domain ");
        match serde_json::from_str(&text("viommu.json")) {
            Ok(viommu) => report.viommu = Some(viommu),
            Err(error) => report.viommu_error = Some(format!("{error}; {}", text("viommu.err").trim())),
        }
        report
    }

    fn guest_said(&mut self, fact: &str) {
        let (key, rest) = fact.split_once(' ').unwrap_or((fact, ""));
        let words: Vec<_> = rest.split_whitespace().collect();
        match (key, words.as_slice()) {
            ("emulated", [word, answer]) => drop(self.emulated.insert((*word).into(), (*answer).into())),
            ("digest", [digest]) => self.digest = Some((*digest).to_owned()),
            ("one-mib", [digest]) => self.first_mib = Some((*digest).to_owned()),
            ("write", [word]) => self.write = Some((*word).to_owned()),
            ("ping", [word]) => self.ping = Some((*word).to_owned()),
            ("rebound", [cycle]) => self.rebinds = cycle.parse().unwrap_or(0),
            ("kernel", [left, digest]) => {
                self.kernels.extend(left.parse().ok().map(|left| (left, (*digest).to_owned())));
            }
            ("date", [seconds]) => self.date = seconds.parse().ok(),
            ("cpus", [count]) => self.cpus = count.parse().ok(),
            ("disk-up", [seconds]) => self.disk_up = seconds.parse().ok(),
            ("group", [number, kind, device, driver]) => {
                let [number, kind, device, driver] = [number, kind, device, driver].map(|w| (*w).to_owned());
                self.groups.push(Group { number, kind, device, driver });
            }
            ("barks", [count]) => self.halt.barks = count.parse().ok(),
            ("reserved", _) => self.reserved.push(rest.to_owned()),
            ("irq", [name, taken]) => {
                self.vectors.push(Vector { name: (*name).to_owned(), taken: taken.parse().unwrap_or(0) });
            }
            ("rig", _) => self.rig.push(rest.to_owned()),
            ("dmesg", _) => self.guest_log.push(rest.to_owned()),
            ("fail", _) | ("insmod-failed", _) => self.guest_failures.push(fact.to_owned()),
            _ => {}
        }
    }

    fn host_said(&mut self, line: &str) {
        match line.split_once(' ') {
            None if line == "socket-left" => self.socket_left = true,
            Some(("exit", code)) => self.exit = code.trim().parse().ok(),
            Some(("seconds", seconds)) => self.seconds = seconds.trim().parse().ok(),
            Some(("date-before", seconds)) => self.host_dates.0 = seconds.trim().parse().ok(),
            Some(("date-after", seconds)) => self.host_dates.1 = seconds.trim().parse().ok(),
            Some(("locked", kib)) => self.locked_kib = kib.trim().parse().ok(),
            Some(("pinned", pages)) => self.pinned_pages = pages.trim().parse().ok(),
            Some(("host-files", count)) => self.host_files = count.trim().parse().ok(),
            Some(("host-memory", kib)) => self.host_memory_kib = kib.trim().parse().ok(),
            Some(("vcpu-time-running", time)) => self.halt.time_running = time.trim().parse().ok(),
            Some(("vcpu-time-halted", time)) => self.halt.time_halted = time.trim().parse().ok(),
            Some(("console-halted", bytes)) => self.halt.console = bytes.trim().parse().ok(),
            Some(("pinned-halted", pages)) => self.halt.pinned_pages = pages.trim().parse().ok(),
            Some(("control-failed", command)) => self.halt.refused.push(command.to_owned()),
            Some(("processes", count)) => self.processes = count.trim().parse().ok(),
            Some(("struck", whom)) => self.struck = Some(whom.trim().to_owned()),
            Some(("vcpus", count)) => self.vcpus = count.trim().parse().ok(),
            Some(("sample", words)) => self.samples.extend(sample(words)),
            Some(("rig", words)) => self.rig.push(words.to_owned()),
            Some(("look", words)) => {
                let (moment, pages) = words.split_once(' ').unwrap_or((words, ""));
                let pinned_pages = pages.trim().parse().ok();
                self.looks.push(Look { moment: moment.to_owned(), shown: None, pinned_pages });
            }
            Some(("group-free", bdf)) => self.free.push(bdf.to_owned()),
            Some(("group-busy", bdf)) => self.busy.push(bdf.to_owned()),
            Some(("retry", count)) => self.retries += count.trim().parse().unwrap_or(1),
            Some(("stalled", _)) => self.stalled = true,
            _ => {}
        }
    }

    /// Interrupts over all vectors whose name starts with `prefix`.
    pub fn interrupts(&self, prefix: &str) -> u64 {
        self.vectors.iter().filter(|v| v.name.starts_with(prefix)).map(|v| v.taken).sum()
    }
}

/// Moment, process, descriptors, memory, locked memory.
fn sample(words: &str) -> Option<Sample> {
    let mut words = words.split_whitespace();
    let (moment, role) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut number = || words.next()?.parse().ok();
    Some(Sample { moment, role, descriptors: number()?, memory_kib: number()?, locked_kib: number()? })
}

#[cfg(test)]
mod tests;
