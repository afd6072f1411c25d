//! `cargo lab`: a computer with an IOMMU, VFIO and KVM on any machine, by software emulation, and mixvm at work in it.
//!
//! L0 is the machine this runs on, L1 the lab host (an emulator's process), L2 the guest that mixvm starts in L1.

mod apt;
mod arch;
mod bench;
mod cli;
mod commands;
mod console;
mod cpio;
mod disk;
mod emulator;
mod exec;
mod faults;
mod images;
mod initramfs;
mod job;
mod kernel;
mod lab;
mod modules;
mod packages;
mod paths;
#[cfg(test)]
mod played;
mod qemu;
mod report;
mod root;
mod scenarios;
mod summary;
mod ui;
mod viommu;
mod vmm;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::commands::{Exec, Selection, Verdict};
use crate::ui::Ui;
use crate::vmm::Program;

fn main() -> ExitCode {
    let mut ui = Ui::new();
    let verdict = match Cli::parse().command {
        Command::Demo { common, json } => commands::demo(common.into(), json, &mut ui),
        Command::Test { common, only, long, cycles } => {
            commands::test(common.into(), &Selection { only, long, cycles }, &mut ui)
        }
        Command::Bench { common, args } => {
            args.wish().and_then(|wish| bench::bench(common.into(), &wish, &mut ui))
        }
        Command::Shell { common } => commands::shell(common.into(), &mut ui),
        Command::Exec { common, file, limit, without_vmm, rig, words } => {
            let mut programs = Vec::new();
            programs.extend((!without_vmm).then_some(Program::Mixvm));
            programs.extend(rig.then_some(Program::Rig));
            let exec = Exec { files: file, limit, programs, words };
            commands::exec(common.into(), exec, &mut ui)
        }
    };
    match verdict {
        Ok(Verdict::Passed) => ExitCode::SUCCESS,
        Ok(Verdict::Failed) => ExitCode::FAILURE,
        Ok(Verdict::Code(code)) => ExitCode::from(code),
        Err(error) => {
            ui.fail(&error);
            ExitCode::FAILURE
        }
    }
}
