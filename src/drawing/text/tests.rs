use super::super::tests::usual;
use super::*;

#[test]
fn each_band_has_a_line_with_address_size_and_kind() {
    let drawn = text(&usual(), false);
    let lines: Vec<&str> = drawn.lines().collect();
    assert_eq!(lines[0], "domain 1: 01:00.0 (0000:00:04.0 on the host): 5 mappings, 28 KiB");
    for line in [
        "  │  │  0x0000000000000000-0x00000000fedfffff   3.98 GiB  hole",
        "  ▓▓▓▓  0x00000000fee00000-0x00000000feefffff      1 MiB  MSI window",
        "  ████  0x00000000ffff8000-0x00000000ffffbfff     16 KiB  2 slots, read",
        "02:00.0 is in no domain and reaches nothing",
    ] {
        assert!(lines.contains(&line), "{line}: {drawn}");
    }
    assert!(drawn.contains('≈') && drawn.ends_with('\n') && !drawn.ends_with("\n\n"), "{drawn}");
}

#[test]
fn colours_are_there_when_asked_for_and_change_nothing_else() {
    let (plain, coloured) = (text(&usual(), false), text(&usual(), true));
    assert!(!plain.contains('\x1b') && coloured.contains("\x1b[33m"));
    let mut bare = coloured;
    for code in ["0", "31", "32", "33", "34", "35", "36", "90"] {
        bare = bare.replace(&format!("\x1b[{code}m"), "");
    }
    assert_eq!(bare, plain);
}

#[test]
fn machine_without_domains_says_so() {
    let mut report = usual();
    report.domains.clear();
    assert!(text(&report, false).starts_with("there is no domain\n"));
}
