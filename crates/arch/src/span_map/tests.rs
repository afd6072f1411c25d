use super::*;

#[test]
fn the_high_window_starts_past_ram_and_ends_with_the_addresses() {
    let cases = [
        // last byte of RAM, bits, window
        (GIB - 1, 40, Some((4 * GIB, 68 * GIB - 1))),
        (4 * GIB - 1, 40, Some((4 * GIB, 68 * GIB - 1))),
        (5 * GIB - 1, 40, Some((5 * GIB, 69 * GIB - 1))),
        (5 * GIB, 40, Some((6 * GIB, 70 * GIB - 1))),
        (5 * GIB - 1, 36, Some((5 * GIB, 64 * GIB - 1))),
        (64 * GIB - 1, 36, None),
        (GIB - 1, 32, None),
    ];
    for (ram_last, bits, want) in cases {
        let want = want.map(|(start, last)| Span::new(start, last).unwrap());
        let found = high_window(ram_last, bits, &BarRoom::default());
        assert_eq!(found, Ok(want), "RAM to {ram_last:#x}, {bits} bits");
    }
}

/// Two numbers of GiB.
type Pair = (u64, u64);
/// What it is; end of RAM, bits, bytes and largest BAR, reserved, window. All but the bits in GiB.
type Placed = (&'static str, u64, u32, Pair, &'static [Pair], Pair);
/// End of RAM, bits, bytes and largest BAR, reserved, the most that would fit. All but the bits in GiB.
type Refused = (u64, u32, Pair, &'static [Pair], u64);

/// AMD's interconnect keeps these addresses for itself; in GiB.
const HYPER_TRANSPORT: Pair = (1012, 1024);

#[test]
fn the_high_window_has_room_for_the_bars_and_keeps_clear_of_what_is_reserved() {
    let cases: [Placed; 10] = [
        ("small ones", 8, 40, (1, 1), &[HYPER_TRANSPORT], (8, 72)),
        ("one of 64 GiB", 8, 40, (64, 64), &[HYPER_TRANSPORT], (64, 129)),
        ("one of 128 GiB", 8, 40, (128, 128), &[HYPER_TRANSPORT], (128, 257)),
        ("two of 32 GiB", 8, 40, (64, 32), &[HYPER_TRANSPORT], (32, 97)),
        ("cut by what is reserved", 8, 40, (16, 16), &[(40, 41)], (16, 40)),
        ("moved behind what is reserved", 8, 40, (32, 32), &[(40, 41)], (64, 128)),
        ("moved behind the interconnect", 900, 42, (128, 128), &[HYPER_TRANSPORT], (1024, 1153)),
        ("in one of two gaps", 8, 40, (64, 64), &[(100, 101), (127, 300), (200, 201)], (320, 385)),
        ("below RAM does not count", 8, 40, (1, 1), &[(2, 3)], (8, 72)),
        ("to the last byte", 8, 38, (192, 64), &[], (64, 256)),
    ];
    for (name, ram, bits, (bytes, align), avoid, (start, end)) in cases {
        let room = room((bytes, align), avoid);
        let want = Span::new(start * GIB, end * GIB - 1);
        assert_eq!(high_window(ram * GIB - 1, bits, &room), Ok(want), "{name}");
    }
}

#[test]
fn bars_that_fit_nowhere_are_refused_with_what_would_fit() {
    let cases: [Refused; 4] = [
        (8, 39, (512, 512), &[], 0),
        (8, 38, (193, 64), &[], 192),
        (8, 40, (512, 256), &[HYPER_TRANSPORT, (600, 601)], 344),
        (64, 36, (1, 1), &[], 0),
    ];
    for (ram, bits, bars, avoid, most) in cases {
        let error = high_window(ram * GIB - 1, bits, &room(bars, avoid)).unwrap_err();
        assert_eq!(error, LayoutError::BarsTooBig { bytes: bars.0 * GIB, bits, most: most * GIB });
    }
}

/// Bytes and largest BAR, and what is reserved, in GiB.
fn room((bytes, align): (u64, u64), avoid: &[(u64, u64)]) -> BarRoom {
    let span = |(start, end): &(u64, u64)| Span::new(start * GIB, end * GIB - 1).unwrap();
    BarRoom { bytes: bytes * GIB, align: align * GIB, avoid: avoid.iter().map(span).collect() }
}

#[test]
fn overlapping_parts_are_named() {
    let low = fixed(0, 0xfff);
    let edge = fixed(0xfff, 0x1fff);
    let error = sort_disjoint(vec![("edge", edge), ("low", low)]).unwrap_err();
    assert_eq!(error.to_string(), "low at 0x0-0xfff and edge at 0xfff-0x1fff overlap");
    assert!(sort_disjoint(vec![("high", fixed(0x1000, 0x1fff)), ("low", low)]).is_ok());
}
