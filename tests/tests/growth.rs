//! A million requests that try to make the device grow.

#[test]
fn a_million_requests_hit_the_caps_and_leave_the_process_small() {
    let report = suites::growth::run(1).unwrap_or_else(|failure| panic!("{failure}"));
    assert!(report.requests >= 1_000_000 && report.refused >= 200_000, "{report}");
}
