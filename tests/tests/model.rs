//! The model differential in the size of a unit test.

#[test]
fn the_device_and_a_naive_model_agree_after_each_of_100_000_requests() {
    let report = suites::model::run(0xc0ffee, 100_000, 2).unwrap_or_else(|failure| panic!("{failure}"));
    assert!(report.tally.answers.iter().filter(|count| **count > 0).count() >= 8, "{report}");
}
