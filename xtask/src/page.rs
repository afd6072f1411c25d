//! What runs write: the parts of docs/src/testing.md, each between two comments, and the report of the last run beside what
//! was built.

use std::path::{Path, PathBuf};

use anyhow::Context;

const PAGE: &str = "docs/src/testing.md";

/// Puts `body` between the markers of the part `name`.
pub fn write(root: &Path, name: &str, body: &str) -> anyhow::Result<()> {
    let path = root.join(PAGE);
    let old = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let new = placed(&old, name, body).with_context(|| format!("{PAGE} has no markers for the {name}"))?;
    std::fs::write(&path, new).with_context(|| format!("cannot write {}", path.display()))
}

/// The folder of what is built, which outlives a clone where it lies elsewhere.
pub fn built(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |it| root.join(it))
}

/// Keeps the report of a run as `reports/NAME.md` in `folder`; says where.
pub fn keep(folder: &Path, name: &str, report: &str) -> anyhow::Result<PathBuf> {
    let folder = folder.join("reports");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(format!("{name}.md"));
    std::fs::write(&path, format!("{report}\n"))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
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
