//! Each row of the conformance page has a test that carries its number: in its name, or as the name of a case or the message of an
//! assertion (a string that begins with it).

use std::collections::BTreeSet;

use super::source::Source;
use super::tree::Tree;
use super::violation::Violation;

/// The page that lists the rows: tables whose first cell is a letter and a number.
const PAGE: &str = "docs/src/conformance.md";

/// Reports the rows that no test names.
pub fn check(tree: &Tree) -> Vec<Violation> {
    let named: BTreeSet<String> = tree.sources.iter().flat_map(named_rows).collect();
    let missing = rows(tree).into_iter().filter(|(_, row)| !named.contains(row));
    missing
        .map(|(line, row)| Violation {
            path: PAGE.into(),
            line,
            law: "rows",
            what: format!("no test names row {row}"),
            remedy: "name a test `a1_…` or a case \"A1 …\"",
        })
        .collect()
}

/// The rows of the page and their lines.
pub fn rows(tree: &Tree) -> Vec<(usize, String)> {
    let text = tree.texts.get(PAGE).map(String::as_str).unwrap_or_default();
    let first_cell = |line: &str| Some(line.strip_prefix("| ")?.split(' ').next()?.to_string());
    let lines = text.lines().enumerate().filter_map(|(at, line)| Some((at + 1, first_cell(line)?)));
    lines.filter(|(_, cell)| is_row(cell)).collect()
}

/// A capital letter and a number.
fn is_row(cell: &str) -> bool {
    let mut chars = cell.chars();
    let letter = chars.next().is_some_and(|c| c.is_ascii_uppercase());
    letter && !chars.as_str().is_empty() && chars.all(|c| c.is_ascii_digit())
}

/// Everything in the file's tests that may be a row's number: words of the names of functions, first words of strings.
fn named_rows(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut after_fn = false;
    for token in source.tokens.iter().filter(|token| source.is_test(token.line)) {
        if after_fn {
            found.extend(token.text.split('_').map(str::to_uppercase));
        } else if let Some(text) = token.text.strip_prefix('"') {
            found.extend(text.split(|c: char| !c.is_ascii_alphanumeric()).next().map(String::from));
        }
        after_fn = token.text == "fn";
    }
    found
}

#[cfg(test)]
mod tests;
