use std::io::BufRead;
use std::path::Path;

use super::{Turns, wait};

#[test]
fn each_turn_is_asked_for_and_takes_one_line() {
    let mut said = Vec::new();
    let mut grants = &b"go\ngo on\nrest"[..];
    for turn in 1..=2 {
        wait(&mut said, &mut grants).unwrap();
        assert_eq!(said, "LAB turn\n".repeat(turn).into_bytes());
    }
    assert_eq!(grants.fill_buf().unwrap(), b"rest", "the next turn's line is left for it");
}

#[test]
fn without_anybody_to_grant_turns_it_ends() {
    let error = wait(Vec::new(), &b""[..]).unwrap_err().to_string();
    assert!(error.contains("nobody"), "{error}");
}

#[test]
fn who_has_the_machine_for_himself_waits_for_nobody() {
    assert!(!Turns::new(None).unwrap().next().unwrap());
    let error = Turns::new(Some(Path::new("/nowhere/to/ask"))).map(drop).unwrap_err().to_string();
    assert!(error.contains("/nowhere/to/ask"), "{error}");
}
