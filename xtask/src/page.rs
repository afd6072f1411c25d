//! The parts of docs/src/testing.md that runs write: each stands between two comments.

use std::path::Path;

use anyhow::Context;

const PAGE: &str = "docs/src/testing.md";

/// Puts `body` between the markers of the part `name`.
pub fn write(root: &Path, name: &str, body: &str) -> anyhow::Result<()> {
    let path = root.join(PAGE);
    let old = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let new = placed(&old, name, body).with_context(|| format!("{PAGE} has no markers for the {name}"))?;
    std::fs::write(&path, new).with_context(|| format!("cannot write {}", path.display()))
}

/// The page with `body` in place of what stands in the part now.
fn placed(page: &str, name: &str, body: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name}: written by "), format!("<!-- end of {name} -->"));
    let at = page.find(&begin)?;
    let (marker, _) = page[at..].split_once('\n')?;
    let (_, after) = page[at..].split_once(&end)?;
    Some(format!("{}{marker}\n{body}\n{end}{after}", &page[..at]))
}

#[cfg(test)]
mod tests;
