//! The commands: each prepares a lab, runs one job in it and tells what came of it.

use std::path::PathBuf;

use anyhow::{Result, anyhow};

use crate::arch::Gic;
use crate::exec::quoted;
use crate::job::{Job, Step};
use crate::lab::{Choices, Lab};
use crate::paths::Paths;
use crate::qemu::Device;
use crate::report::Report;
use crate::scenarios::{self, Errand, GICV2_ERRANDS, Scenario};
use crate::summary::{Phase, Summary};
use crate::ui::Ui;
use crate::vmm::Program;

const CHECK: &str = "check";
const COMMAND: &str = "command";
/// The phase in which the host works; its console log begins with the boot.
const RUN: &str = "run";
const BOTH: [Device; 2] = [Device::Nvme, Device::E1000e];

/// Whether all that was run is as it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every check held.
    Passed,
    /// Something was measured that must not be; it has been printed.
    Failed,
    /// The exit code of a command that was run in the lab host.
    Code(u8),
}

/// `cargo lab demo`.
pub fn demo(choices: Choices, json: bool, ui: &mut Ui) -> Result<Verdict> {
    let lab = prepare(choices, "demo", &[Program::Mixvm], ui)?;
    let scenario = scenarios::demo();
    let devices = scenario.guest.devices.clone();
    let job = job(&lab, devices, std::slice::from_ref(&scenario));
    ui.phase("boot");
    let log = lab.paths.log(RUN);
    let outcome = lab.run(&job, &log, ui)?;
    let report = Report::read(&lab.results(&scenario.guest.name));
    let mut failures = check_failures(&lab);
    failures.extend(scenarios::failures(&scenario, &report, &lab.disk));
    let summary = Summary {
        arch: lab.choices.arch.name(),
        passed: failures.is_empty(),
        failures,
        digest_expected: lab.disk.digest.clone(),
        retries: outcome.retries + report.retries,
        report,
        phases: ui.finish().iter().map(Phase::from).collect(),
    };
    if json {
        println!("{}", serde_json::to_string_pretty(&summary)?);
    } else {
        print!("{}", summary.text());
    }
    if summary.passed {
        return Ok(Verdict::Passed);
    }
    eprintln!("phase run failed: {} of the checks above do not hold", summary.failures.len());
    eprintln!("logs: {} and {}", log.display(), summary.report.folder.display());
    Ok(Verdict::Failed)
}

/// Which scenarios `cargo lab test` runs.
pub struct Selection {
    /// Those whose names contain one of these; empty: all.
    pub only: Vec<String>,
    /// Also those that take long.
    pub long: bool,
    /// So many plain starts and ends besides.
    pub cycles: u32,
}

impl Selection {
    fn scenarios(&self, choices: &Choices) -> Result<Vec<Scenario>> {
        let named = |scenario: &Scenario| self.only.iter().any(|part| scenario.guest.name.contains(part));
        // Who names a scenario wants it, long or not.
        let all = scenarios::all(choices.arch, choices.gic, self.long || !self.only.is_empty());
        let wanted = all.into_iter().filter(|scenario| self.only.is_empty() || named(scenario));
        let chosen: Vec<_> = wanted.chain(scenarios::cycles(self.cycles)).collect();
        if chosen.is_empty() {
            return Err(anyhow!("no scenario's name contains {:?}", self.only.join(",")));
        }
        Ok(chosen)
    }
}

/// `cargo lab test`.
pub fn test(choices: Choices, selection: &Selection, ui: &mut Ui) -> Result<Verdict> {
    let chosen = selection.scenarios(&choices)?;
    let lab = prepare(choices, "test", &[Program::Mixvm, Program::Rig], ui)?;
    let errands = if lab.choices.gic == Gic::V2 { &GICV2_ERRANDS[..] } else { &[] };
    let mut job = job(&lab, on_host(&chosen), &chosen);
    if !errands.is_empty() {
        job.steps.splice(..1, errands.iter().map(step));
    }
    ui.phase("boot");
    let outcome = lab.run(&job, &lab.paths.log(RUN), ui)?;
    ui.finish();
    let mut failed = 0;
    let mut line = |name: &str, detail: String, failures: &[String]| {
        println!("{:<20} {} {detail}", name, if failures.is_empty() { "ok    " } else { "FAILED" });
        failures.iter().for_each(|failure| println!("{:<20}   {failure}", ""));
        failed += usize::from(!failures.is_empty());
    };
    for errand in errands {
        line(errand.name, String::new(), &errand.failures(&lab.results(errand.name)));
    }
    if errands.is_empty() {
        line(CHECK, String::new(), &check_failures(&lab));
    }
    let read = |scenario: &Scenario| Report::read(&lab.results(&scenario.guest.name));
    let reports: Vec<_> = chosen.iter().map(read).collect();
    for (scenario, report) in chosen.iter().zip(&reports) {
        line(&scenario.guest.name, detail(report), &scenarios::failures(scenario, report, &lab.disk));
    }
    let lives: Vec<_> = chosen.iter().map(|it| it.guest.name.as_str()).zip(&reports).collect();
    let across = scenarios::across(&lives);
    if let Some((name, figures, failures)) = &across {
        line(name, figures.clone(), failures);
    }
    println!("lab host retries: {}; logs: {}", outcome.retries, lab.paths.run.display());
    println!(
        "{} passed, {failed} failed",
        chosen.len() + errands.len().max(1) + usize::from(across.is_some()) - failed
    );
    Ok(if failed == 0 { Verdict::Passed } else { Verdict::Failed })
}

/// `cargo lab shell`.
pub fn shell(choices: Choices, ui: &mut Ui) -> Result<Verdict> {
    let lab = prepare(choices, "shell", &[Program::Mixvm, Program::Rig], ui)?;
    ui.phase("shell");
    ui.finish();
    lab.shell(&Job { devices: BOTH.into(), ..Job::default() })?;
    Ok(Verdict::Passed)
}

/// `cargo lab exec`.
pub struct Exec {
    /// Programs and data for the lab host's `/bin`.
    pub files: Vec<PathBuf>,
    /// Seconds that the command may take.
    pub limit: u32,
    /// Programs of ours that must be there.
    pub programs: Vec<Program>,
    /// The command, as words of shell text.
    pub words: Vec<String>,
}

/// Runs a command in the lab host; its output is copied to ours.
pub fn exec(choices: Choices, exec: Exec, ui: &mut Ui) -> Result<Verdict> {
    let lab = prepare(choices, "exec", &exec.programs, ui)?;
    let mut job = Job { devices: BOTH.into(), ..Job::default() };
    for file in exec.files {
        let name = file.file_name().ok_or_else(|| anyhow!("{} names no file", file.display()))?;
        let name = name.to_string_lossy().into_owned();
        job.files.push((file, name));
    }
    job.steps.push(Step::Command { name: COMMAND.into(), limit: exec.limit, shell: exec.words.join(" ") });
    ui.phase("boot");
    lab.run(&job, &lab.paths.log(RUN), ui)?;
    ui.finish();
    let report = Report::read(&lab.results(COMMAND));
    let output = |name: &str| std::fs::read(report.folder.join(name)).unwrap_or_default();
    print!("{}", String::from_utf8_lossy(&output("console")));
    eprint!("{}", String::from_utf8_lossy(&output("stderr")));
    let code = report.exit.and_then(|code| u8::try_from(code).ok());
    code.map(Verdict::Code).ok_or_else(|| anyhow!("`{}` left no exit code", quoted(&exec.words.join(" "))))
}

pub fn prepare(choices: Choices, command: &str, programs: &[Program], ui: &mut Ui) -> Result<Lab> {
    let paths = Paths::create(choices.arch, command)?;
    Lab::prepare(choices, paths, programs, ui)
}

/// The usual devices, and what else these scenarios want.
fn on_host(scenarios: &[Scenario]) -> Vec<Device> {
    let mut devices: Vec<Device> = BOTH.into();
    for device in scenarios.iter().flat_map(|scenario| &scenario.guest.devices) {
        if !devices.contains(device) {
            devices.push(*device);
        }
    }
    devices
}

fn job(lab: &Lab, devices: Vec<Device>, scenarios: &[Scenario]) -> Job {
    let mut steps = vec![Step::Check { name: CHECK.into(), devices: devices.clone() }];
    steps.extend(scenarios.iter().map(|scenario| Step::Guest(scenario.guest.clone())));
    let guest_stall = lab.choices.stall.saturating_sub(10);
    Job { devices, steps, guest_stall, guest_params: lab.choices.arch.guest_params(), ..Job::default() }
}

fn step(errand: &Errand) -> Step {
    Step::Command { name: errand.name.into(), limit: 60, shell: errand.shell.into() }
}

fn check_failures(lab: &Lab) -> Vec<String> {
    let folder = lab.results(CHECK);
    match Report::read(&folder).exit {
        Some(0) => Vec::new(),
        exit => vec![format!(
            "`mixvm check` ended with {exit:?}: {}",
            crate::exec::tail(&folder.join("stderr"), 4)
        )],
    }
}

fn detail(report: &Report) -> String {
    let live: u64 = report.viommu.iter().flat_map(|viommu| &viommu.legs).map(|leg| leg.mappings).sum();
    format!(
        "exit {}, {:.0} s, {} interrupts, {live} live mappings, {} retries",
        report.exit.map_or("none".to_owned(), |code| code.to_string()),
        report.seconds.unwrap_or_default(),
        report.interrupts(""),
        report.retries
    )
}
