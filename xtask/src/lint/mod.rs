//! `cargo xtask lint`: formatting, clippy, and the laws of the house, one module a law.
//!
//! A law is a function from the tree of sources to its violations. Each violation names file, line, law and remedy.

mod drawing;
mod module_docs;
mod pages;
mod panics;
mod size;
mod source;
mod spec_rows;
mod test_place;
mod tree;
mod unsafety;
mod violation;

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;

use tree::Tree;
use violation::Violation;

/// What `cargo xtask lint` takes.
#[derive(clap::Args, Default)]
pub struct Args {
    /// Check the laws of the house only: no rustfmt, no clippy
    #[arg(long)]
    laws: bool,
}

/// One law: its name in reports, and its check.
struct Law {
    name: &'static str,
    check: fn(&Tree) -> Vec<Violation>,
}

const LAWS: &[Law] = &[
    Law { name: "drawing", check: drawing::check },
    Law { name: "unsafe", check: unsafety::check },
    Law { name: "size", check: size::check },
    Law { name: "panics", check: panics::check },
    Law { name: "tests", check: test_place::check },
    Law { name: "module-docs", check: module_docs::check },
    Law { name: "pages", check: pages::check },
    Law { name: "rows", check: spec_rows::check },
];

/// Goes on past the first crate with a problem, so that one run shows them all.
const CLIPPY: &[&str] = &["clippy", "--workspace", "--all-targets", "--keep-going", "--", "-D", "warnings"];

/// Runs every check; true when the tree is clean.
pub fn run(root: &Path, args: &Args) -> anyhow::Result<bool> {
    let mut clean = true;
    if !args.laws {
        clean &= cargo(root, "formatting", &["fmt", "--all", "--check", "--", "--files-with-diff"])?;
        clean &= cargo(root, "clippy", CLIPPY)?;
    }
    clean &= laws(&Tree::load(root)?);
    Ok(clean)
}

/// Prints the conformance rows that no test names; true when there is none. With `write`, names the tests in the page.
pub fn rows(root: &Path, write: bool) -> anyhow::Result<bool> {
    let tree = Tree::load(root)?;
    if write {
        spec_rows::write(root, &tree)?;
    }
    let missing = spec_rows::missing(&tree);
    missing.iter().for_each(|violation| println!("{violation}"));
    println!("rows: {} in all, {} without a test", spec_rows::rows(&tree).len(), missing.len());
    Ok(missing.is_empty())
}

/// Prints every violation of every law; true when there is none.
fn laws(tree: &Tree) -> bool {
    let mut total = 0;
    for violation in &tree.broken {
        println!("{violation}");
        total += 1;
    }
    for law in LAWS {
        let mut found = (law.check)(tree);
        found.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
        for violation in &found {
            println!("{violation}");
        }
        println!("lint: law {:<12} {}", law.name, if found.is_empty() { "kept" } else { "BROKEN" });
        total += found.len();
    }
    println!("lint: {} files, {} laws, {total} violations", tree.sources.len(), LAWS.len());
    total == 0
}

/// Runs cargo at the root; true when it was content.
fn cargo(root: &Path, what: &str, args: &[&str]) -> anyhow::Result<bool> {
    println!("lint: {what}: cargo {}", args.join(" "));
    let status = Command::new("cargo")
        .args(args)
        .current_dir(root)
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start cargo for {what}"))?;
    if !status.success() {
        println!("lint: {what}: FAILED ({status})");
    }
    Ok(status.success())
}
