//! The book: short pages, each opening with one sentence that says what it tells, all of them in the summary.

use std::path::{Component, Path, PathBuf};

use super::tree::Tree;
use super::violation::Violation;

/// Where the pages lie.
const FOLDER: &str = "docs/src/";
const SUMMARY: &str = "docs/src/SUMMARY.md";
/// Lines of the longest page.
const PAGE: usize = 400;

/// Checks every page of the book, and every relative link in the project's Markdown.
pub fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut report = |path: &str, line, what: String, remedy| {
        found.push(Violation { path: path.into(), line, law: "pages", what, remedy });
    };
    let summary = tree.texts.get(SUMMARY).map(String::as_str).unwrap_or_default();
    for (path, text) in tree.texts.iter().filter(|(path, _)| path.ends_with(".md")) {
        for (line, target) in links(text) {
            if !leads_somewhere(tree, path, target) {
                report(path, line, format!("the link to {target} leads nowhere"), "mend the link");
            }
        }
        let Some(page) = path.strip_prefix(FOLDER) else { continue };
        if path == SUMMARY {
            continue;
        }
        if text.lines().count() > PAGE {
            let what = format!("the page has {} lines, {PAGE} are allowed", text.lines().count());
            report(path, PAGE + 1, what, "split it by question answered");
        }
        if let Some((line, what)) = bad_opening(text) {
            report(
                path,
                line,
                what.into(),
                "open with a title, then one sentence that says what the page tells",
            );
        }
        if !summary.contains(&format!("({page})")) {
            report(path, 1, "the page is not in the summary".into(), "add it to docs/src/SUMMARY.md");
        }
    }
    found
}

/// A page begins with `# Title`, an empty line, and a paragraph of one sentence.
fn bad_opening(text: &str) -> Option<(usize, &'static str)> {
    let mut lines = text.lines();
    if !lines.next().unwrap_or_default().starts_with("# ") {
        return Some((1, "the page has no title"));
    }
    let paragraph: Vec<&str> =
        lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty()).collect();
    let opening = paragraph.join(" ");
    let sentences = opening.matches(". ").count() + usize::from(opening.ends_with('.'));
    (sentences != 1).then_some((3, "the opening is not one sentence"))
}

/// Relative link targets and their lines; code blocks are left out.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (number, line) in text.lines().enumerate() {
        in_code ^= line.trim_start().starts_with("```");
        if in_code {
            continue;
        }
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', '#', ' ']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") {
                found.push((number + 1, target));
            }
        }
    }
    found
}

/// Whether the target, seen from the page, is a file that the tree holds or (for other kinds of file) a plain path within it.
fn leads_somewhere(tree: &Tree, page: &str, target: &str) -> bool {
    let mut place = PathBuf::new();
    for part in Path::new(page).parent().unwrap_or(Path::new("")).join(target).components() {
        match part {
            Component::ParentDir if !place.pop() => return false,
            Component::ParentDir | Component::CurDir => {}
            other => place.push(other),
        }
    }
    let known_kind = [".md", ".rs", ".toml"].iter().any(|ending| target.ends_with(ending));
    let place = place.to_string_lossy();
    !known_kind || tree.texts.contains_key(&*place) || tree.sources.iter().any(|source| source.path == place)
}

#[cfg(test)]
mod tests;
