//! `cargo lab bench`: the same work by a guest behind QEMU and by a guest behind mixvm, each in turns with a process of the
//! lab host, in one boot of the lab host.

mod chart;
mod lives;
mod page;
mod readings;
mod table;
mod times;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::apt;
use crate::commands::{Verdict, prepare};
use crate::job::{Job, Step};
use crate::lab::{Choices, Lab};
use crate::qemu::{Device, Idle};
use crate::ui::Ui;
use crate::vmm::Program;
pub use lives::Extent;
use readings::Readings;
use table::Row;

/// The lab host's side: names in its `/bin`, and texts.
const SCRIPTS: [(&str, &str); 2] = [
    ("bench-host.sh", include_str!("scripts/bench-host.sh")),
    ("bench-turns.sh", include_str!("scripts/bench-turns.sh")),
];

/// What the user wants.
#[derive(Clone, Debug)]
pub struct Wish {
    /// How much is measured.
    pub extent: Extent,
    /// Processors of the lab host.
    pub host_cpus: u32,
    /// What they do without work.
    pub host_idle: Idle,
    /// Print everything as JSON.
    pub json: bool,
    /// Write the figures into the book.
    pub write: bool,
}

/// How it was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Method {
    /// The day, UTC.
    pub date: String,
    /// Release of the kernel of host and guests.
    pub kernel: String,
    /// Version of the QEMU that was compared with.
    pub qemu: String,
    /// Processors of the lab host.
    pub host_cpus: u32,
    /// What they do without work.
    pub host_idle: Idle,
    /// Runs of each measurement.
    pub runs: u32,
    /// What went wrong on the way.
    pub failures: Vec<String>,
}

/// All that came of it.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// Architecture of host and guests.
    pub arch: &'static str,
    /// How it was measured.
    pub method: Method,
    /// The comparison.
    pub rows: Vec<Row>,
}

/// Runs it. Targets that are missed are shown and fail nothing; readings that are missing do.
pub fn bench(choices: Choices, wish: &Wish, ui: &mut Ui) -> Result<Verdict> {
    let lab = prepare(choices, "bench", &[Program::Mixvm, Program::Rig], ui)?;
    let arch = lab.choices.arch;
    let peer = match wish.extent.with_qemu {
        true => {
            ui.phase("peer");
            Some(apt::peer(arch, &lab.paths, ui)?)
        }
        false => None,
    };
    let steps = lives::steps(arch, &wish.extent);
    let job = Job {
        // The guests have the disk, the floor the network card.
        devices: vec![Device::Nvme, Device::E1000e],
        files: scripts(&lab.paths.run)?,
        steps,
        cpus: Some(wish.host_cpus),
        idle: wish.host_idle,
        peer: peer.as_ref().map(|peer| peer.folder.clone()),
        ..Job::default()
    };
    ui.phase("boot");
    let run = lab.run(&job, &lab.paths.log("run"), ui)?;
    ui.finish();
    let console = consoles(&lab, &job.steps);
    fs::write(lab.paths.run.join("console"), &console).context("keeping the console")?;
    let readings = Readings::read(&console);
    eprintln!("second tries: {} of the lab host, {} of guests", run.retries, readings.retries);
    let failures = failures(&readings);
    let method = Method {
        date: today()?,
        kernel: lab.release.clone(),
        qemu: peer.map_or_else(|| "not compared".into(), |peer| peer.version),
        host_cpus: wish.host_cpus,
        host_idle: wish.host_idle,
        runs: wish.extent.runs,
        failures,
    };
    let outcome = Outcome { arch: arch.name(), method, rows: table::rows(&readings) };
    report(&lab.paths.tree, wish, &outcome, &readings)
}

fn report(tree: &Path, wish: &Wish, outcome: &Outcome, readings: &Readings) -> Result<Verdict> {
    if wish.json {
        let all = serde_json::json!({ "outcome": outcome, "readings": readings });
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        print!("{}", page::text(&outcome.rows));
    }
    for failure in &outcome.method.failures {
        eprintln!("failed: {failure}");
    }
    if wish.write {
        page::write(tree, outcome)?;
    }
    Ok(if outcome.method.failures.is_empty() { Verdict::Passed } else { Verdict::Failed })
}

fn scripts(folder: &Path) -> Result<Vec<(PathBuf, String)>> {
    let script = |(name, text): (&str, &str)| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        Ok((path, name.to_owned()))
    };
    SCRIPTS.into_iter().map(script).collect()
}

/// What all steps printed, in their order.
fn consoles(lab: &Lab, steps: &[Step]) -> String {
    let console = |step: &Step| match step {
        Step::Command { name, .. } => {
            let bytes = fs::read(lab.results(name).join("console")).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => String::new(),
    };
    steps.iter().map(console).collect()
}

fn failures(readings: &Readings) -> Vec<String> {
    let mut failures = Vec::new();
    for (name, life) in &readings.lives {
        failures.extend(life.failures.iter().map(|failure| format!("{name}: {failure}")));
        if life.failures.is_empty() && life.maps.is_some() && life.beside.is_none() {
            failures.push(format!("{name}: no floor was measured beside it"));
        }
    }
    failures
}

/// The day in UTC, as the system's own tool tells it.
fn today() -> Result<String> {
    let date = crate::exec::answer(std::process::Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    match date.trim() {
        "" => bail!("`date` says nothing"),
        date => Ok(date.to_owned()),
    }
}

#[cfg(test)]
mod tests;
