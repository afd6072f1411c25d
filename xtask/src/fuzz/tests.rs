//! What is run is what there is.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, bail};

use super::{TARGETS, side_by_side};
use crate::repo_root;

fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(repo_root().unwrap().join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn every_target_of_the_tree_is_run_and_has_a_kept_corpus() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, ..)| (*name).into()).collect();
    assert_eq!(targets, names("fuzz/fuzz_targets"));
    assert_eq!(targets, names("fuzz/corpus"));
    for target in targets {
        assert!(!names(&format!("fuzz/corpus/{target}")).is_empty(), "{target}: nothing was kept");
    }
}

#[test]
fn each_target_is_run_once_and_one_that_fails_or_cannot_start_is_a_failure() {
    for (second, good) in [("true", true), ("false", false), ("cannot start", false)] {
        let ran = Mutex::new(Vec::new());
        let run = |target: &str, execs| {
            ran.lock().unwrap().push((target.to_owned(), execs));
            if target == "cannot start" {
                bail!("it cannot");
            }
            Command::new(target).output().context("no such program")
        };
        assert_eq!(side_by_side(&[("true", 1), (second, 2), ("true", 3)], run), good, "{second}");
        let mut ran = ran.into_inner().unwrap();
        ran.sort_by_key(|(_, execs)| *execs);
        assert_eq!(ran, [("true".into(), 1), (second.into(), 2), ("true".into(), 3)]);
    }
}
