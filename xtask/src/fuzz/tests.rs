//! What is run is what there is.

use std::collections::BTreeSet;
use std::fs;

use super::TARGETS;
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
