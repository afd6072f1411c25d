//! Lines of device processes: whole, harmless, not too many; and nobody waits for a reader that does not read.

use std::fs::File;
use std::io::{PipeReader, Read, Write};

use super::*;

fn outlet() -> (PipeReader, Outlet<OwnedFd>) {
    let (reader, writer) = std::io::pipe().unwrap();
    (reader, Outlet { to: writer.into(), patience: Duration::from_secs(20), stuck: false })
}

/// All that comes out of it until its end.
fn all(mut reader: PipeReader) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

/// What is told of these writes of a process with the role `rng`.
fn told(writes: &[&[u8]]) -> String {
    let (reader, outlet) = outlet();
    let (end, thread) = listen("rng", outlet).unwrap();
    let mut process = File::from(end);
    writes.iter().for_each(|bytes| process.write_all(bytes).unwrap());
    drop(process);
    thread.join().unwrap();
    all(reader)
}

#[test]
fn each_line_bears_its_role_and_the_last_needs_no_end() {
    let long = [b'x'; LINE + 2];
    let pieces = format!("rng: {}\nrng: xx\n", "x".repeat(LINE));
    let cases: [(&str, &[&[u8]], &str); 5] = [
        ("nothing", &[], ""),
        ("lines", &[b"one\ntwo\n"], "rng: one\nrng: two\n"),
        ("a line in pieces", &[b"o", b"n", b"e\nt", b"wo"], "rng: one\nrng: two\n"),
        ("empty lines", &[b"\n\none\n\n"], "rng: one\n"),
        ("a long line", &[&long], &pieces),
    ];
    for (name, writes, want) in cases {
        assert_eq!(told(writes), want, "{name}");
    }
}

#[test]
fn nothing_that_a_terminal_obeys_comes_through() {
    let cases: [(&str, &[u8], &str); 8] = [
        ("text", "a\tb \"c\" \\ é → …".as_bytes(), "a\tb \"c\" \\ é → …"),
        ("colours", b"\x1b[31mred\x1b[0m", "\\u{1b}[31mred\\u{1b}[0m"),
        ("a title", b"\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
        ("another line's place", b"good\rbad", "good\\rbad"),
        ("backspace and delete", b"\x08\x7f", "\\u{8}\\u{7f}"),
        ("C1 as a character", "\u{9b}2J".as_bytes(), "\\u{9b}2J"),
        ("C1 as a byte", b"\x9b2J\xff", "\\x9b2J\\xff"),
        ("right to left", "\u{202e}evil".as_bytes(), "\\u{202e}evil"),
    ];
    for (name, line, want) in cases {
        assert_eq!(shown(line), want, "{name}");
    }
}

#[test]
fn a_stock_of_bytes_fills_up_again_with_time() {
    let begin = Instant::now();
    let mut allowance = Allowance { left: BURST, since: begin };
    let (burst, ms) = (BURST as usize, PER_MS as usize);
    let cases = [
        (0, burst - 1, true),
        (0, 2, false),
        (0, 1, true),
        (1, ms + 1, false),
        (1, ms, true),
        (1, 1, false),
        (1 << 40, burst + 1, false),
        (1 << 40, burst, true),
    ];
    for (at, bytes, want) in cases {
        assert_eq!(allowance.take(bytes, begin + Duration::from_millis(at)), want, "{bytes} at {at} ms");
    }
}

#[test]
fn a_flood_is_cut_and_its_last_lines_are_told() {
    const BYTES: usize = 1024;
    // With its role a line takes so many bytes.
    let line = |what: &str| format!("{what:x<0$}\n", BYTES - "rng: \n".len()).into_bytes();
    let begin = Instant::now();
    let (reader, outlet) = outlet();
    let reader = std::thread::spawn(move || all(reader));
    let mut teller = Teller::new("rng", outlet, begin);
    let (burst, second) = (BURST as usize / BYTES, 1000 * PER_MS as usize / BYTES);
    (0..burst + 3).for_each(|_| teller.hear(&line("first "), begin));
    // A second later there is room again, until the next flood, in which the process dies.
    let later = begin + Duration::from_secs(1);
    (0..second + 4 + LAST).for_each(|_| teller.hear(&line("second "), later));
    teller.hear(&line("dying "), later);
    teller.end(later);
    let text = reader.join().unwrap();
    let lines: Vec<&str> = text.lines().map(|line| line.trim_end_matches('x')).collect();
    let want = [
        vec!["rng: first "; burst],
        vec!["rng: 3 lines are lost: too many at once, or nobody reads"],
        vec!["rng: second "; second],
        vec!["rng: 5 lines are lost: too many at once, or nobody reads"],
        vec!["rng: second "; LAST - 1],
        vec!["rng: dying "],
    ];
    assert_eq!(lines, want.concat());
}

#[test]
fn a_reader_that_does_not_read_holds_up_neither_the_process_nor_the_end() {
    let (reader, mut outlet) = outlet();
    let full = vec![b'-'; rustix::pipe::fcntl_getpipe_size(&reader).unwrap()];
    rustix::io::write(&outlet.to, &full).unwrap();
    outlet.patience = Duration::from_millis(1);
    let (end, thread) = listen("rng", outlet).unwrap();
    let mut process = File::from(end);
    // More than fits into the pipe of the process.
    (0..100).for_each(|_| process.write_all(&[b'x'; 4096]).unwrap());
    drop(process);
    thread.join().unwrap();
    assert!(all(reader).bytes().all(|byte| byte == b'-'));
}

#[test]
fn a_reader_that_is_gone_holds_up_nobody() {
    let (reader, outlet) = outlet();
    drop(reader);
    let (end, thread) = listen("rng", outlet).unwrap();
    let mut process = File::from(end);
    (0..100).for_each(|_| process.write_all(&[b'x'; 4096]).unwrap());
    drop(process);
    thread.join().unwrap();
}
