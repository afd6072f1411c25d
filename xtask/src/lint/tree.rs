//! All that the laws look at: Rust sources, the pages of the book, and the packages of the workspace.
//!
//! A file whose parent declares it `#[cfg(test)] mod name;` is test code, as are the files below it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;
use serde::Deserialize;

use super::source::{Source, is_test_item};
use super::violation::Violation;

/// Folders that hold no source of ours.
const SKIPPED: &[&str] = &["target", "book", "corpus", "artifacts"];

/// The tree under check.
#[derive(Default)]
pub struct Tree {
    /// Every Rust file that parses, by path.
    pub sources: Vec<Source>,
    /// Files that do not parse.
    pub broken: Vec<Violation>,
    /// Markdown pages and manifests: path and text.
    pub texts: BTreeMap<String, String>,
    /// The workspace's packages.
    pub packages: Vec<Package>,
}

/// A package as `cargo metadata` tells it.
#[derive(Clone, Debug, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// What it depends on, of every kind.
    pub dependencies: Vec<Dependency>,
}

/// One dependency of a package.
#[derive(Clone, Debug, Deserialize)]
pub struct Dependency {
    /// The name of the package depended on.
    pub name: String,
    /// `dev` or `build`; nothing for an ordinary one.
    #[serde(default)]
    pub kind: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

impl Tree {
    /// Reads the workspace at `root`.
    pub fn load(root: &Path) -> anyhow::Result<Tree> {
        let mut files = Vec::new();
        collect(root, root, &mut files)?;
        files.sort();
        let mut tree = Tree::from_files(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
        tree.packages = packages(root)?;
        Ok(tree)
    }

    /// A tree of these files: path from the root, and text.
    pub fn from_files<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Tree {
        let mut tree = Tree::default();
        for (path, text) in files {
            if !path.ends_with(".rs") {
                tree.texts.insert(path.into(), text.into());
                continue;
            }
            match Source::parse(path, text) {
                Ok(source) => tree.sources.push(source),
                Err((line, what)) => tree.broken.push(Violation {
                    path: path.into(),
                    line,
                    law: "parse",
                    what: format!("no Rust: {what}"),
                    remedy: "mend it, `cargo check` tells more",
                }),
            }
        }
        tree.mark_test_files();
        tree
    }

    /// The files of the product.
    pub fn product(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|source| !source.test)
    }

    fn mark_test_files(&mut self) {
        let stems: Vec<String> = self.sources.iter().flat_map(test_module_stems).collect();
        for source in &mut self.sources {
            let path = source.path.as_str();
            source.test |= stems.iter().any(|stem| {
                path.strip_prefix(stem).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
            });
        }
    }
}

/// Paths, less `.rs`, of the modules that this file declares for tests only.
fn test_module_stems(source: &Source) -> Vec<String> {
    let (folder, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
    let home = match file {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_string(),
        other => format!("{folder}/{}", other.trim_end_matches(".rs")),
    };
    let test_mods = source.syntax.items.iter().filter_map(|item| match item {
        syn::Item::Mod(item) if item.content.is_none() && is_test_item(&item.attrs) => Some(&item.ident),
        _ => None,
    });
    test_mods.map(|name| format!("{home}/{name}")).collect()
}

fn collect(root: &Path, folder: &Path, into: &mut Vec<(String, String)>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                collect(root, &path, into)?;
            }
        } else if [".rs", ".md", ".toml"].iter().any(|ending| name.ends_with(ending)) {
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            into.push((path.strip_prefix(root)?.to_string_lossy().into_owned(), text));
        }
    }
    Ok(())
}

fn packages(root: &Path) -> anyhow::Result<Vec<Package>> {
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start `cargo metadata`")?;
    anyhow::ensure!(output.status.success(), "`cargo metadata` failed: {}", output.status);
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("cannot read `cargo metadata`'s answer")?;
    Ok(metadata.packages)
}

#[cfg(test)]
mod tests;
