//! The emulator that plays the lab host.
//!
//! QEMU before 8.1 reads a page of code to translate it without keeping writers off. A kernel that changes its own code on one
//! processor (static keys, static calls) while another translates leaves that one with the old code for good: an x86_64 host dies
//! of an `int3` or of a triple fault, or its guests do, about once in twenty guests. So the machine's own QEMU is taken when it is
//! new enough, else the one of the distribution's backports, which is kept in the lab's cache and never installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::apt;
use crate::arch::Arch;
use crate::exec;
use crate::paths::Paths;
use crate::ui::Ui;

/// The first version that translates code under a lock.
const SOUND: (u32, u32) = (8, 1);
/// Folders with firmware in Debian's packages.
const FIRMWARE: [&str; 3] = ["usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu"];

/// A QEMU that is there.
#[derive(Clone, Debug)]
pub struct Emulator {
    program: PathBuf,
    /// The root of an unpacked one; none when it is installed.
    root: Option<PathBuf>,
    /// What it says of its version.
    pub version: String,
}

impl Emulator {
    /// The machine's own, or a newer one. One that is too old is better than none: its hosts are booted again when they die.
    pub fn find(arch: Arch, paths: &Paths, ui: &Ui) -> Result<Self> {
        let own = Self::at(arch.qemu().into(), None)?;
        if own.is_sound() {
            return Ok(own);
        }
        Self::newer(arch, paths, ui).or_else(|error| {
            ui.note(&format!(
                "going on with QEMU {}, under which a lab host dies now and then: {error:#}",
                own.version
            ));
            Ok(own)
        })
    }

    fn newer(arch: Arch, paths: &Paths, ui: &Ui) -> Result<Self> {
        let root = apt::emulator(arch, paths, ui).context("fetching a newer QEMU")?;
        let newer = Self::at(root.join("usr/bin").join(arch.qemu()), Some(root))?;
        anyhow::ensure!(newer.is_sound(), "the backports have QEMU {} only", newer.version);
        Ok(newer)
    }

    fn at(program: PathBuf, root: Option<PathBuf>) -> Result<Self> {
        let mut emulator = Self { program, root, version: String::new() };
        let answer = exec::answer(emulator.command().arg("--version"))?;
        emulator.version = version_in(&answer)
            .with_context(|| format!("{} does not tell its version", emulator.program.display()))?
            .to_owned();
        Ok(emulator)
    }

    fn is_sound(&self) -> bool {
        numbers(&self.version).is_some_and(|version| version >= SOUND)
    }

    /// A command that starts it; the words of a machine follow.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let Some(root) = &self.root else { return command };
        if let Some(libraries) = libraries(root) {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        // What the newer packages did not bring is the machine's own.
        for folder in FIRMWARE.iter().flat_map(|folder| [root.join(folder), Path::new("/").join(folder)]) {
            if folder.is_dir() {
                command.arg("-L").arg(folder);
            }
        }
        command
    }
}

/// Where an unpacked root has its libraries, if it brought any.
fn libraries(root: &Path) -> Option<PathBuf> {
    let folders = fs::read_dir(root.join("usr/lib")).ok()?;
    let mut folders = folders.filter_map(|entry| Some(entry.ok()?.path()));
    folders.find(|folder| folder.to_string_lossy().ends_with("-linux-gnu"))
}

/// The version in what `--version` prints.
fn version_in(answer: &str) -> Option<&str> {
    let mut words = answer.split_whitespace().skip_while(|word| *word != "version");
    words.nth(1)
}

/// Major and minor number.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests;
