use super::*;

const LIMITS: Limits = Limits { thinnest: 2.0, longest: 50.0, smallest: 50.0 };

#[test]
fn bands_are_to_scale_between_the_limits() {
    let found = heights(&[1 << 12, 1 << 14, 1 << 40], 75.0, LIMITS);
    let sum: f64 = found.bands.iter().map(|(height, _)| height).sum();
    assert!((sum - 75.0).abs() < 0.01, "{found:?}");
    let [(small, false), (bigger, false), (longest, true)] = found.bands[..] else { panic!("{found:?}") };
    assert!((bigger / small - 4.0).abs() < 0.01 && longest == LIMITS.longest, "{found:?}");
    assert!((f64::from(1 << 12) / found.scale - small).abs() < 0.01, "the scale is what it says");
}

#[test]
fn neither_thin_nor_long_bands_break_the_limits() {
    for sizes in [vec![1u128, 1 << 64], vec![1 << 64; 3], vec![1; 100], vec![]] {
        for total in [1.0, 400.0, 1e9] {
            let found = heights(&sizes, total, LIMITS);
            let fine = |height: &f64| (LIMITS.thinnest..=LIMITS.longest).contains(height);
            assert!(found.bands.iter().all(|(height, _)| fine(height)), "{sizes:?} {total} {found:?}");
        }
    }
}

#[test]
fn cut_is_what_would_be_longer() {
    let found = heights(&[100, 100], 1000.0, LIMITS);
    assert!(found.bands.iter().all(|(height, _)| *height == LIMITS.longest), "{found:?}");
    let short = heights(&[100, 100], 60.0, LIMITS);
    assert!(short.bands.iter().all(|(_, cut)| !cut), "{short:?}");
}

#[test]
fn few_bands_are_not_all_cut_for_want_of_others() {
    let limits = Limits { smallest: 20.0, ..LIMITS };
    let found = heights(&[4096, 8192, 1 << 30], 1000.0, limits);
    assert_eq!(found.bands, [(20.0, false), (40.0, false), (50.0, true)]);
    assert_eq!(found.scale, 4096.0 / 20.0);
}
