//! The first serial port and the virtio-consoles, from all `--serial` flags: who has the terminal, and what is typed there.
//!
//! One of them at most has what is typed: the one that says so, else the first serial port, else the first console.

use std::path::PathBuf;

use super::EmulatedConfig;
use super::emulated::{Emulated, behind};
use crate::cmdline::specs::{Hardware, SerialSpec, SerialType};
use crate::errors::Refusal;

/// Where the first serial port goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serial {
    /// To the terminal.
    Stdout {
        /// Whether it has what is typed there.
        typed: bool,
    },
    /// Into this file.
    File(PathBuf),
    /// Nowhere.
    None,
}

/// A virtio-console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleConfig {
    /// Where its output goes.
    pub output: ConsoleOutput,
    /// Where what is typed comes from.
    pub input: ConsoleInput,
}

/// Where a console's output goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsoleOutput {
    /// To the terminal.
    Stdout,
    /// Into this file.
    File(PathBuf),
}

/// Where a console's input comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsoleInput {
    /// Nobody types.
    None,
    /// The terminal.
    Stdin,
    /// This FIFO or terminal.
    File(PathBuf),
}

/// The first serial port, and the consoles in their order.
pub(super) fn read(specs: &[SerialSpec], refusals: &mut Vec<Refusal>) -> (Serial, Vec<EmulatedConfig>) {
    let (consoles, ports): (Vec<_>, Vec<_>) =
        specs.iter().partition(|spec| spec.hardware == Some(Hardware::VirtioConsole));
    let mut refuse = |what, why, remedy| refusals.push(Refusal::new("--serial", what, why, remedy));
    if ports.len() > 1 {
        refuse(
            "is given twice for the first serial port",
            "the guest has one",
            "Say hardware=virtio-console for the other.",
        );
    }
    let asking = specs.iter().filter(|spec| asks(spec)).count();
    if asking > 1 {
        refuse(
            "is given twice with stdin",
            "what is typed goes to one console",
            "Say stdin for one of them.",
        );
    }
    let on_terminal = |spec: &SerialSpec| spec.kind == Some(SerialType::Stdout);
    // A guest that has a console on the terminal has no use for a second one there unless it is asked for.
    let serial = match ports.first() {
        None if consoles.iter().any(|spec| on_terminal(spec)) => Serial::None,
        None => Serial::Stdout { typed: true },
        Some(spec) => port(spec, asking == 0),
    };
    let mut free = asking == 0 && !matches!(serial, Serial::Stdout { typed: true });
    let mut console = |spec: &&SerialSpec| {
        let typed = on_terminal(spec) && (asks(spec) || (free && spec.input.is_none()));
        free &= !typed;
        let input = match &spec.input {
            Some(path) => ConsoleInput::File(path.clone()),
            None if typed => ConsoleInput::Stdin,
            None => ConsoleInput::None,
        };
        let output = match &spec.path {
            Some(path) => ConsoleOutput::File(path.clone()),
            None => ConsoleOutput::Stdout,
        };
        let kind = Emulated::Console(ConsoleConfig { output, input });
        EmulatedConfig { kind, behind_viommu: behind(spec.iommu) }
    };
    let consoles = consoles.iter().map(&mut console).collect();
    (serial, consoles)
}

fn asks(spec: &SerialSpec) -> bool {
    spec.stdin.is_some_and(|switch| switch.0)
}

/// `free`: nobody has asked for what is typed.
fn port(spec: &SerialSpec, free: bool) -> Serial {
    match (spec.kind, &spec.path) {
        (Some(SerialType::File), Some(path)) => Serial::File(path.clone()),
        (Some(SerialType::None), _) => Serial::None,
        _ => Serial::Stdout { typed: asks(spec) || (free && spec.stdin.is_none()) },
    }
}

#[cfg(test)]
mod tests;
