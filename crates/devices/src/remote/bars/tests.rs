//! Answers that a function can give, and such that only a taken-over process gives.

use data_model::Span;

use super::Bars;
use crate::pci::{BarWindow, regs};

const OTHER: &str = "a BAR that is not what it was";
const ELSEWHERE: &str = "a window where nobody has put it";

fn window(bar: u8, start: u64, len: u64, io: bool) -> BarWindow {
    BarWindow { bar, span: Span::from_len(start, len).unwrap(), io }
}

/// A function whose BARs 0 (64 bits), 2 (ports) and 4 were put somewhere, and whose first two were seen there.
fn seen() -> Bars {
    let mut bars = Bars::default();
    for (bar, word) in [(0, 0x8000_000c_u32), (1, 0x40), (2, 0xe001), (3, 0), (4, 0x9000_0000)] {
        bars.write(regs::BAR0 + 4 * bar, &word.to_le_bytes());
    }
    bars.check(&[window(0, 0x40_8000_0000, 0x4000, false), window(2, 0xe000, 0x20, true)]).unwrap();
    bars
}

#[test]
fn a_function_shows_the_windows_that_it_was_given_and_nothing_more() {
    let (first, ports) = (window(0, 0x40_8000_0000, 0x4000, false), window(2, 0xe000, 0x20, true));
    let cases: [(&str, &[BarWindow], Result<(), &str>); 13] = [
        ("the same", &[first, ports], Ok(())),
        ("none", &[], Ok(())),
        ("without its upper half", &[window(0, 0x8000_0000, 0x4000, false)], Ok(())),
        ("a further one", &[first, ports, window(4, 0x9000_0000, 0x1_0000, false)], Ok(())),
        ("larger", &[window(0, 0x40_8000_0000, 0x8000, false)], Err(OTHER)),
        ("smaller", &[window(0, 0x40_8000_0000, 0x2000, false)], Err(OTHER)),
        ("ports", &[window(0, 0x40_8000_0000, 0x4000, true)], Err(OTHER)),
        ("moved by itself", &[window(0, 0x40_8000_4000, 0x4000, false)], Err(ELSEWHERE)),
        ("another's place", &[window(0, 0x9000_0000, 0x4000, false)], Err(ELSEWHERE)),
        ("inside", &[window(4, 0x9000_0040, 0x40, false)], Err(ELSEWHERE)),
        ("twice", &[first, first], Err("two windows for one BAR")),
        ("a seventh", &[first, window(6, 0, 1, false)], Err("a BAR that no function has")),
        ("everything", &[BarWindow { span: Span::ALL, ..first }], Err("a window that no BAR can have")),
    ];
    for (name, windows, expected) in cases {
        assert_eq!(seen().check(windows), expected, "{name}");
    }
}

#[test]
fn windows_follow_the_guests_writes_of_any_size() {
    let mut bars = seen();
    let moved = window(0, 0x41_8012_4000, 0x4000, false);
    assert_eq!(bars.check(&[moved]), Err(ELSEWHERE));
    bars.write(regs::BAR0 + 1, &[0x40, 0x12]);
    bars.write(regs::BAR0 + 4, &[0x41]);
    bars.write(regs::BAR0 - 1, &[0xff]);
    bars.write(regs::BAR0 + 24, &[0xff; 4]);
    assert_eq!(bars.check(&[moved]), Ok(()));
    bars.reset();
    assert_eq!(bars.check(&[moved]), Err(ELSEWHERE));
}
