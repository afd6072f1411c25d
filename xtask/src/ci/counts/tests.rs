//! Which lines count, and how.

use super::{Counter, Counts};

#[test]
fn closing_lines_count_and_others_do_not() {
    let counts = |passed, failed, ignored| Some(Counts { passed, failed, ignored });
    for (line, want) in [
        (
            "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            counts(12, 0, 3),
        ),
        ("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured", counts(1, 2, 0)),
        ("test result: \u{1b}[32mok\u{1b}[0m. 7 passed; 0 failed; 0 ignored; ", counts(7, 0, 0)),
        ("x86_64: test result: ok. 5 passed; 0 failed;", counts(5, 0, 0)),
        ("9 passed, 1 failed", counts(9, 1, 0)),
        ("  9 passed, 1 failed\r", counts(9, 1, 0)),
        ("total: 9 passed, 1 failed", None),
        ("9 passed, 1 failed, 3 retried", None),
        ("test result: ok", None),
        ("test boot ... ok", None),
        ("3 passed; 4 failed;", None),
        ("test result: ok. many passed; 0 failed;", None),
    ] {
        assert_eq!(Counts::of_line(line), want, "{line}");
    }
}

#[test]
fn a_stream_is_summed_whatever_its_pieces() {
    let text = "test result: ok. 2 passed; 0 failed; 0 ignored;\nnoise\ntest result: FAILED. 1 passed; 3 failed; 1 ignored;\n";
    for size in [1, 2, 7, 1000] {
        let mut counter = Counter::default();
        text.as_bytes().chunks(size).for_each(|piece| counter.feed(piece));
        assert_eq!(counter.counts, Counts { passed: 3, failed: 3, ignored: 1 }, "pieces of {size}");
    }
    assert_eq!(Counts { passed: 3, failed: 3, ignored: 1 }.to_string(), "total: 3 passed, 3 failed");
}
