//! The hidden command line of a worker: written by the main process, read by the worker's start.

use std::ffi::OsString;

use crate::piece::Pieces;
use crate::seccomp::Denials;

/// The hidden first word. Whoever types it gets a process that finds no channel and ends.
pub(crate) const MARK: &str = "--jail-worker";

/// How far a worker's start has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Just started: user and process id namespaces are still to come.
    Outer,
    /// Executed again as the first process of its process id namespace.
    Inner,
}

/// What the command line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) stage: Stage,
    pub(crate) role: String,
    pub(crate) without: Pieces,
    pub(crate) denials: Denials,
    /// The application's own.
    pub(crate) args: Vec<String>,
}

impl Words {
    /// The words after the program's name.
    pub(crate) fn write(&self) -> Vec<String> {
        let stage = match self.stage {
            Stage::Outer => "outer",
            Stage::Inner => "inner",
        };
        let denials = match self.denials {
            Denials::Kill => "kill",
            Denials::Report => "report",
        };
        let own = [MARK.into(), stage.into(), self.role.clone(), self.without.to_string(), denials.into()];
        own.into_iter().chain(self.args.iter().cloned()).collect()
    }

    /// Reads the words after the program's name: `None` when they are not a worker's, an error when they only begin like it.
    pub(crate) fn read(words: impl Iterator<Item = OsString>) -> Option<Result<Words, ()>> {
        let mut words = words.map(OsString::into_string);
        if words.next()?.ok()? != MARK {
            return None;
        }
        let all: Result<Vec<String>, OsString> = words.collect();
        Some(all.ok().and_then(Words::parse).ok_or(()))
    }

    fn parse(all: Vec<String>) -> Option<Words> {
        let mut all = all.into_iter();
        let stage = match all.next()?.as_str() {
            "outer" => Stage::Outer,
            "inner" => Stage::Inner,
            _ => return None,
        };
        let (role, without) = (all.next()?, all.next()?.parse().ok()?);
        let denials = match all.next()?.as_str() {
            "kill" => Denials::Kill,
            "report" => Denials::Report,
            _ => return None,
        };
        Some(Words { stage, role, without, denials, args: all.collect() })
    }
}

#[cfg(test)]
mod tests;
