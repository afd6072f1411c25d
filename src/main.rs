//! mixvm: runs virtual machines that have an IOMMU of their own.

mod check;
mod cmdline;
mod config;
mod control;
mod drawing;
mod errors;
mod host;
mod machine;
mod plan;
mod process;
mod run;

use std::process::ExitCode;

use clap::Parser;

use cmdline::{Cli, Command, ViommuCommand};
use config::Arch;
use control::Look;
use errors::FAILED;
use host::SysfsHost;
use vm_control::Request;

fn main() -> ExitCode {
    match jail::worker_start() {
        Ok(None) => {}
        Ok(Some(start)) => return work(start),
        // Main has been told.
        Err(_) => return ExitCode::from(FAILED),
    }
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    match execute(&Cli::parse().command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("mixvm: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

/// A device process, which main has started.
fn work(start: jail::Start) -> ExitCode {
    let role = start.role.clone();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    match process::worker_main(start) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{role}: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

fn execute(command: &Command) -> anyhow::Result<u8> {
    let out = &mut std::io::stdout();
    match command {
        Command::Run(args) => run::run(args, &SysfsHost::default()),
        Command::Check(args) => check::run(args, &SysfsHost::default(), Arch::host(), out),
        Command::Stop(args) => control::tell(&args.socket, Request::Stop),
        Command::Suspend(args) => control::tell(&args.socket, Request::Suspend),
        Command::Resume(args) => control::tell(&args.socket, Request::Resume),
        Command::Viommu(ViommuCommand::Show(args)) => control::show(args, out),
        Command::Viommu(ViommuCommand::Map(args)) => control::map(args, out, &Look::of_stdout()),
    }
}
