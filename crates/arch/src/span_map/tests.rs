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
        assert_eq!(high_window(ram_last, bits), want, "RAM to {ram_last:#x}, {bits} bits");
    }
}

#[test]
fn overlapping_parts_are_named() {
    let low = fixed(0, 0xfff);
    let edge = fixed(0xfff, 0x1fff);
    let error = sort_disjoint(vec![("edge", edge), ("low", low)]).unwrap_err();
    assert_eq!(error.to_string(), "low at 0x0-0xfff and edge at 0xfff-0x1fff overlap");
    assert!(sort_disjoint(vec![("high", fixed(0x1000, 0x1fff)), ("low", low)]).is_ok());
}
