//! The lab host's console: which lines are progress, and what they say.
//!
//! Invariant: a kernel's own complaints are never progress, so a stalled host cannot keep its watchdog quiet.

/// A line of the lab host's console that its scripts wrote on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The scripts of the lab host started a new stage, with details for people.
    Host { stage: String, text: String },
    /// A guest or a command said something.
    Guest(String),
}

/// The mark in a console line, if it is one.
pub fn mark(line: &str) -> Option<Mark> {
    let line = line.trim_end_matches(['\r', '\n']);
    if let Some(said) = line.strip_prefix("@l2 ") {
        return Some(Mark::Guest(said.trim_end_matches('\r').to_owned()));
    }
    let rest = line.strip_prefix("@lab ")?;
    let (stage, text) = rest.split_once(' ').unwrap_or((rest, ""));
    Some(Mark::Host { stage: stage.to_owned(), text: text.to_owned() })
}

/// The fact in a guest's line: what stands after the `LAB` marker.
pub fn guest_fact(line: &str) -> Option<&str> {
    line.trim_end_matches(['\r', '\n']).strip_prefix("LAB ")
}

#[cfg(test)]
mod tests;
