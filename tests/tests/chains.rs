//! Malformed chains in the size of a unit test.

#[test]
fn each_of_2000_malformed_chains_comes_to_an_end_and_the_device_to_a_stop() {
    let report = suites::chains::run(1, 2000).unwrap_or_else(|failure| panic!("{failure}"));
    let kinds = [report.unwritten, report.answered, report.needs_reset];
    assert!(kinds.iter().all(|count| *count > 100), "{report}");
}
