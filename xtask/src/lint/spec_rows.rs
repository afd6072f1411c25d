//! Each row of the conformance page has a test that carries its number: in its name, or as the name of a case or the message of an
//! assertion (a string that begins with it). And the page names the tests that there are: its last column is generated.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;

use super::source::Source;
use super::tree::Tree;
use super::violation::Violation;

/// The page that lists the rows: tables whose first cell is a letter and a number.
const PAGE: &str = "docs/src/conformance.md";

/// Reports the rows that no test names, and those beside which the page names other tests than there are.
pub fn check(tree: &Tree) -> Vec<Violation> {
    missing(tree).into_iter().chain(stale(tree)).collect()
}

/// The first line of the page that is not as `cargo xtask rows --write` would write it.
fn stale(tree: &Tree) -> Option<Violation> {
    let page = tree.texts.get(PAGE)?;
    let fresh = with_tests(page, &test_names(tree));
    let differs = |(old, new): (&str, &str)| old != new;
    let line = page.lines().zip(fresh.lines()).position(differs)?;
    let (what, remedy) =
        ("the tests named here are not those that there are".into(), "cargo xtask rows --write");
    Some(Violation { path: PAGE.into(), line: line + 1, law: "rows", what, remedy })
}

/// The rows that no test names.
pub fn missing(tree: &Tree) -> Vec<Violation> {
    let named: BTreeSet<String> = tree.sources.iter().filter(of_device).flat_map(named_rows).collect();
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

/// Other crates may number other things.
fn of_device(source: &&Source) -> bool {
    matches!(source.crate_name(), "devices" | "virtio_iommu_spec")
}

/// The rows of the page and their lines.
pub fn rows(tree: &Tree) -> Vec<(usize, String)> {
    let text = tree.texts.get(PAGE).map(String::as_str).unwrap_or_default();
    let first_cell = |line: &str| Some(line.strip_prefix("| ")?.split(' ').next()?.to_string());
    let lines = text.lines().enumerate().filter_map(|(at, line)| Some((at + 1, first_cell(line)?)));
    lines.filter(|(_, cell)| is_row(cell)).collect()
}

/// The last column of each row: the tests that name it, written by `cargo xtask rows --write`.
const COLUMN: &str = "shown by";

/// Writes into the page which tests show each row.
pub fn write(root: &Path, tree: &Tree) -> anyhow::Result<()> {
    let path = root.join(PAGE);
    let old = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let new = with_tests(&old, &test_names(tree));
    if new != old {
        std::fs::write(&path, new).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The page with the last column of each table that has one filled in.
fn with_tests(page: &str, tests: &BTreeMap<String, Vec<String>>) -> String {
    let mut filled = String::new();
    let mut in_table = false;
    for line in page.lines() {
        in_table = line.starts_with('|') && (in_table || line.trim_end().ends_with(&format!("| {COLUMN} |")));
        let row = line.strip_prefix("| ").and_then(|rest| rest.split(' ').next()).filter(|cell| is_row(cell));
        match (in_table, row, line.trim_end().trim_end_matches('|').rsplit_once('|')) {
            (true, Some(row), Some((before, _))) => {
                let names = tests.get(row).map(|names| names.join(", ")).unwrap_or_default();
                filled += &format!("{before}| {names} |");
            }
            _ => filled += line,
        }
        filled.push('\n');
    }
    filled
}

/// For each row the functions whose names begin with it.
fn test_names(tree: &Tree) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in tree.sources.iter().filter(of_device) {
        for pair in
            source.tokens.windows(2).filter(|pair| pair[0].text == "fn" && source.is_test(pair[1].line))
        {
            let row = pair[1].text.split('_').next().unwrap_or_default().to_uppercase();
            if is_row(&row) {
                let file = source.path.rsplit('/').next().unwrap_or_default();
                found.entry(row).or_default().push(format!("`{}` ({file})", pair[1].text));
            }
        }
    }
    found
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
