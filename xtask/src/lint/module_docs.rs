//! The first line of each module says what it is for.

use super::tree::Tree;
use super::violation::Violation;

/// Checks the product.
pub fn check(tree: &Tree) -> Vec<Violation> {
    let silent = tree.product().filter(|source| {
        let first = source.text.lines().next().unwrap_or_default();
        first.strip_prefix("//!").is_none_or(|words| words.trim().is_empty())
    });
    silent
        .map(|source| Violation {
            path: source.path.clone(),
            line: 1,
            law: "module-docs",
            what: "the first line does not say what the module is for".into(),
            remedy: "begin with `//! What it is for`, then its invariants",
        })
        .collect()
}

#[cfg(test)]
mod tests;
