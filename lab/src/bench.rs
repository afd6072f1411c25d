//! `cargo lab bench`: the same work by a process of the lab host, by a guest behind QEMU and by a guest behind mixvm, in
//! one boot of the lab host.

mod chart;
mod lives;
mod page;
mod readings;
mod table;

use std::fs;
use std::path::Path;

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

const HOST_SCRIPT: &str = include_str!("scripts/bench-host.sh");

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
    let script = lab.paths.run.join("bench-host.sh");
    fs::write(&script, HOST_SCRIPT).with_context(|| format!("writing {}", script.display()))?;
    let steps = lives::steps(arch, &wish.extent);
    let job = Job {
        devices: vec![Device::Nvme],
        files: vec![(script, "bench-host.sh".into())],
        steps,
        cpus: Some(wish.host_cpus),
        idle: wish.host_idle,
        undisturbed: true,
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
    let mut failures: Vec<_> = readings
        .lives
        .iter()
        .flat_map(|(name, life)| life.failures.iter().map(move |failure| format!("{name}: {failure}")))
        .collect();
    if readings.floor.len() != 2 {
        failures.push(format!("the floor was measured {} times of 2", readings.floor.len()));
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
