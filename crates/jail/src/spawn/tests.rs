//! The hidden command line, there and back.

use std::ffi::OsString;

use super::{Stage, Words};
use crate::piece::{Piece, Pieces};
use crate::seccomp::Denials;

#[test]
fn words_survive_the_command_line() {
    for (stage, denials) in [(Stage::Outer, Denials::Kill), (Stage::Inner, Denials::Report)] {
        for (without, args) in
            [(Pieces::NONE, vec![]), (Pieces::NONE.with(Piece::Net), vec!["a b".to_string(), String::new()])]
        {
            let words = Words { stage, role: "vfio 0000:01:00.0".into(), without, denials, args };
            let written = words.write().into_iter().map(OsString::from);
            assert_eq!(Words::read(written), Some(Ok(words)));
        }
    }
}

#[test]
fn other_command_lines_are_told_apart() {
    let cases: [(&[&str], _); 7] = [
        (&[], None),
        (&["run", "--jail-worker"], None),
        (&["--jail-worker"], Some(Err(()))),
        (&["--jail-worker", "middle", "r", "", "kill"], Some(Err(()))),
        (&["--jail-worker", "outer", "r", "chroot", "kill"], Some(Err(()))),
        (&["--jail-worker", "outer", "r", "", "maybe"], Some(Err(()))),
        (&["--jail-worker", "outer", "r", ""], Some(Err(()))),
    ];
    for (words, want) in cases {
        assert_eq!(Words::read(words.iter().map(OsString::from)), want, "{words:?}");
    }
}
