//! `unsafe` stands in four crates only, their roots say why, and each use says why it is sound.

use super::source::Source;
use super::tree::Tree;
use super::violation::Violation;

/// The crates that may be unsafe.
const ALLOWED: &[&str] = &["base", "hypervisor", "jail", "vfio"];

const LAW: &str = "unsafe";

/// Checks every file, tests too.
pub fn check(tree: &Tree) -> Vec<Violation> {
    tree.sources.iter().flat_map(check_source).collect()
}

fn check_source(source: &Source) -> Vec<Violation> {
    let allowed = ALLOWED.contains(&source.crate_name());
    let mut found = Vec::new();
    let mut report = |line, what: String, remedy| {
        found.push(Violation { path: source.path.clone(), line, law: LAW, what, remedy });
    };
    for at in 0..source.tokens.len() {
        let line = source.tokens[at].line;
        if ["allow", "expect"].iter().any(|word| source.reads(at, &[word, "(", "unsafe_code"])) {
            if !allowed {
                report(line, "unsafe code is allowed here".into(), MOVE);
            } else if !source.text.lines().any(|line| line.trim_start().starts_with("// UNSAFETY:")) {
                report(
                    line,
                    "the crate root does not say why it is unsafe".into(),
                    "write `// UNSAFETY: why` above it",
                );
            }
        }
        let Some(use_of) = unsafe_use(source, at) else { continue };
        if !allowed {
            report(line, format!("{use_of} in crate `{}`", source.crate_name()), MOVE);
        } else if use_of != "an unsafe function" && !is_explained(source, line) {
            report(
                line,
                format!("{use_of} without its reason"),
                "write `// SAFETY: why it is sound` right above it",
            );
        }
    }
    found
}

const MOVE: &str = "move it behind a safe call of base, vfio, hypervisor or jail";

/// What the token is the beginning of, when that is unsafe. (`#[unsafe(…)]` is an attribute's name and denied by rustc's own lint.)
fn unsafe_use(source: &Source, at: usize) -> Option<&'static str> {
    if source.tokens[at].text != "unsafe" {
        return None;
    }
    match source.tokens.get(at + 1)?.text.as_str() {
        "{" => Some("an unsafe block"),
        "impl" => Some("an unsafe impl"),
        "fn" | "trait" | "extern" => Some("an unsafe function"),
        _ => None,
    }
}

/// Whether a comment with `SAFETY:` stands on the line, or right above it or the beginning of its statement.
fn is_explained(source: &Source, line: usize) -> bool {
    let lines: Vec<&str> = source.text.lines().take(line).map(str::trim).collect();
    let Some((own, above)) = lines.split_last() else { return false };
    if own.contains("// SAFETY:") {
        return true;
    }
    let mut in_comment = false;
    for text in above.iter().rev() {
        if text.starts_with("//") {
            in_comment = true;
            if text.starts_with("// SAFETY:") {
                return true;
            }
        } else if in_comment || text.is_empty() || text.ends_with([';', '{', '}', ',']) {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests;
