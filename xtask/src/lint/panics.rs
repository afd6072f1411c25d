//! The product does not panic on what a guest, a user or the host can cause.
//!
//! `unreachable!` and `assert!` stay: a bug of ours may end the one process that has it. Code inside macro calls counts.

use super::source::Source;
use super::tree::Tree;
use super::violation::Violation;

/// Methods that turn a value into a panic.
const METHODS: &[&str] = &["unwrap", "expect", "unwrap_err", "expect_err"];
/// Macros that do nothing else.
const MACROS: &[&str] = &["panic", "todo", "unimplemented"];

/// Checks every line that is no test.
pub fn check(tree: &Tree) -> Vec<Violation> {
    tree.sources.iter().flat_map(check_source).collect()
}

fn check_source(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    for at in 0..source.tokens.len() {
        let method = METHODS.iter().find(|name| source.reads(at, &[".", name, "("]));
        let called = MACROS.iter().find(|name| source.reads(at, &[name, "!"]));
        let what = match (method, called) {
            (Some(name), _) => format!("`.{name}()` in product code"),
            (_, Some(name)) => format!("`{name}!` in product code"),
            _ => continue,
        };
        let line = source.tokens[at + usize::from(method.is_some())].line;
        if !source.is_test(line) {
            let remedy = "return the error (a Status for a guest's mistake, a typed error for the host's), or make the state impossible";
            found.push(Violation { path: source.path.clone(), line, law: "panics", what, remedy });
        }
    }
    found
}

#[cfg(test)]
mod tests;
