//! Every host call of the map path fails once, in every way.

use suites::faults;

#[test]
fn ok_means_equal_whichever_call_of_the_host_fails() {
    let report = faults::run().unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(report.calls(), 4, "{report}");
    assert!(report.runs > 700 && report.pairs > 300, "{report}");
}
