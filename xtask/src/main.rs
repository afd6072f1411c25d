//! The project's chores: `cargo xtask lint` checks the laws of the house, `cargo xtask ci` runs every check there is.

mod bench;
mod ci;
mod cover;
mod deep;
mod fuzz;
mod jail;
mod lint;
mod page;
mod suites;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The project's chores")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Check formatting, clippy and the laws of the house
    Lint(lint::Args),
    /// List the rows of docs/src/conformance.md that no test names
    Rows {
        /// Write the names of the tests into the page
        #[arg(long)]
        write: bool,
    },
    /// Run the suites, the checkers and the lab in the size of a night
    Nightly(suites::Args),
    /// Run the fuzz targets
    Fuzz(fuzz::Args),
    /// Measure what the tests cover, and hold it against the floors
    Cover(cover::Args),
    /// Run tests under loom, miri or AddressSanitizer
    Deep(deep::Args),
    /// Run the jail's own tests in the lab host of the other architecture
    Jail,
    /// Measure what a request costs: instructions, memory, time (needs valgrind)
    Bench(bench::Args),
    /// Prepare what is missing, then lint, test, check the other architecture and run the lab
    Ci(ci::Args),
}

fn main() -> ExitCode {
    let done = repo_root().and_then(|root| match Cli::parse().chore {
        Chore::Lint(args) => lint::run(&root, &args),
        Chore::Rows { write } => lint::rows(&root, write),
        Chore::Nightly(args) => suites::nightly(&root, &args),
        Chore::Fuzz(args) => fuzz::run(&root, &args),
        Chore::Cover(args) => cover::run(&root, &args),
        Chore::Deep(args) => deep::run(&root, &args),
        Chore::Jail => jail::run(&root),
        Chore::Bench(args) => bench::run(&root, &args),
        Chore::Ci(args) => ci::run(&root, &args),
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The folder that holds the workspace: the parent of this crate's own.
fn repo_root() -> anyhow::Result<PathBuf> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies at the file system's root")?;
    anyhow::ensure!(
        root.join("Cargo.toml").is_file(),
        "the workspace is no longer at {}: run `cargo xtask` from the tree that you built it in",
        root.display()
    );
    Ok(root.to_path_buf())
}
