//! What counts as progress.

use super::{Mark, guest_fact, mark};

#[test]
fn only_marks_are_progress() {
    let host = |stage: &str, text: &str| Some(Mark::Host { stage: stage.to_owned(), text: text.to_owned() });
    let cases = [
        ("@lab host-up\r\n", host("host-up", "")),
        ("@lab guest-end demo exit 0\r", host("guest-end", "demo exit 0")),
        ("@l2 LAB digest ab\r\r", Some(Mark::Guest("LAB digest ab".into()))),
        ("rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", None),
        ("[  12.0] @lab host-up", None),
        ("", None),
    ];
    for (line, expected) in cases {
        assert_eq!(mark(line), expected, "{line:?}");
    }
}

#[test]
fn a_fact_follows_the_guests_marker() {
    assert_eq!(guest_fact("LAB write ok\r\n"), Some("write ok"));
    assert_eq!(guest_fact("xLAB write ok"), None);
}
