//! How what is there is told from what is missing.

use super::{has_target, succeeds};
use std::process::Command;

#[test]
fn the_own_target_is_there_and_an_unknown_one_is_not() {
    let version = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    assert!(has_target(host).unwrap());
    assert!(!has_target("no-such-target").unwrap());
}

#[test]
fn a_missing_program_is_no_success() {
    assert!(succeeds(&mut Command::new("true")));
    assert!(!succeeds(&mut Command::new("false")));
    assert!(!succeeds(&mut Command::new("no-such-program")));
}
