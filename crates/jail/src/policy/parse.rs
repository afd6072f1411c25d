//! Reads policy text.
//!
//! ```text
//! # why it is needed
//! @include common.policy
//! read: 1
//! clone3: return ENOSYS
//! mmap: arg2 within PROT_READ|PROT_WRITE && arg3 in {MAP_SHARED, MAP_PRIVATE|MAP_ANONYMOUS}
//! ```
//! Alternatives are joined by `||`, and several lines for one call (in different files) add up.

mod rule;

use std::path::{Component, Path, PathBuf};

use super::{Call, Place, Policy, Verdict};

/// Includes may nest this deep: enough for any sane policy, and an end to a circle.
const DEPTH: usize = 8;

/// Where the text of a file comes from, and the names of the target's system calls.
pub struct Sources<'a> {
    /// The text of a file; the error in words.
    pub read: &'a dyn Fn(&Path) -> Result<String, String>,
    /// The number of a system call of the target.
    pub number: &'a dyn Fn(&str) -> Option<u32>,
}

/// A policy that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{}:{line}: {what}", path.display())]
pub struct PolicyError {
    /// The file.
    pub path: PathBuf,
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// Reads a policy and what it includes.
pub fn parse(path: &Path, sources: &Sources<'_>) -> Result<Policy, PolicyError> {
    let mut policy = Policy::new();
    let first = Place { path: path.to_path_buf(), line: 1 };
    read_file(path, &first, DEPTH, sources, &mut policy)?;
    Ok(policy)
}

fn read_file(
    path: &Path,
    from: &Place,
    depth: usize,
    sources: &Sources<'_>,
    policy: &mut Policy,
) -> Result<(), PolicyError> {
    if depth == 0 {
        return Err(error(from, format!("includes nest deeper than {DEPTH}, perhaps in a circle")));
    }
    let text =
        (sources.read)(path).map_err(|e| error(from, format!("{} cannot be read: {e}", path.display())))?;
    for (index, line) in text.lines().enumerate() {
        let place = Place { path: path.to_path_buf(), line: index + 1 };
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        if let Some(other) = line.strip_prefix("@include") {
            read_file(&beside(path, other.trim()), &place, depth - 1, sources, policy)?;
        } else {
            read_line(line, place, sources, policy)?;
        }
    }
    Ok(())
}

/// The path of an included file, with `..` taken out so that messages stay readable.
fn beside(path: &Path, other: &str) -> PathBuf {
    let mut out = path.parent().map(Path::to_path_buf).unwrap_or_default();
    for part in Path::new(other).components() {
        match part {
            Component::ParentDir => drop(out.pop()),
            part => out.push(part),
        }
    }
    out
}

fn read_line(
    line: &str,
    place: Place,
    sources: &Sources<'_>,
    policy: &mut Policy,
) -> Result<(), PolicyError> {
    let Some((name, rest)) = line.split_once(':') else {
        return Err(error(&place, format!("`{line}` is not `name: rule` and not `@include file`")));
    };
    let name = name.trim();
    let Some(number) = (sources.number)(name) else {
        return Err(error(&place, format!("this architecture has no system call `{name}`")));
    };
    let verdict = rule::read(name, rest.trim()).map_err(|what| error(&place, what))?;
    let verdict = match policy.remove(&number) {
        None => verdict,
        Some(before) => add(before, verdict).map_err(|what| error(&place, what))?,
    };
    policy.insert(number, Call { name: name.into(), place, verdict });
    Ok(())
}

/// Two lines for one call: both sets of alternatives hold. What makes the other line pointless is a mistake.
fn add(before: Call, verdict: Verdict) -> Result<Verdict, String> {
    match (before.verdict, verdict) {
        (Verdict::AnyOf(mut some), Verdict::AnyOf(more)) => {
            if let Some(twice) = more.iter().find(|alternative| some.contains(alternative)) {
                let at = before.place;
                return Err(format!("{twice:x?} is allowed by {}:{} already", at.path.display(), at.line));
            }
            some.extend(more);
            Ok(Verdict::AnyOf(some))
        }
        _ => {
            let (name, at) = (before.name, before.place);
            Err(format!("`{name}` is settled by {}:{} already", at.path.display(), at.line))
        }
    }
}

fn error(place: &Place, what: String) -> PolicyError {
    PolicyError { path: place.path.clone(), line: place.line, what }
}

#[cfg(test)]
mod tests;
