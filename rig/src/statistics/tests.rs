use std::time::Duration;

use super::{Percentiles, median};

#[test]
fn percentiles_are_samples_that_were_seen() {
    for (count, p50, p99) in
        [(0, 0, 0), (1, 1, 1), (2, 1, 2), (100, 50, 99), (101, 51, 100), (1000, 500, 990)]
    {
        let samples = (1..=count).rev().map(Duration::from_nanos).collect();
        assert_eq!(Percentiles::of(samples), Percentiles { p50, p99 }, "{count} samples");
    }
}

#[test]
fn the_median_of_an_even_number_is_the_lower_one() {
    assert_eq!(median::<u64>(vec![]), None);
    assert_eq!(median(vec![3, 1, 2]), Some(2));
    assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), Some(2.0));
}
