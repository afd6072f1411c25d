//! Quoting and failure reports.

use std::process::Command;

use super::{quoted, run, shown};

#[test]
fn words_are_quoted_only_where_a_shell_needs_it() {
    let cases = [
        ("--vfio", "--vfio"),
        ("0000:01:00.0,iommu=viommu", "0000:01:00.0,iommu=viommu"),
        ("console=ttyS0 quiet", "'console=ttyS0 quiet'"),
        ("it's", r"'it'\''s'"),
        ("", "''"),
    ];
    for (word, expected) in cases {
        assert_eq!(quoted(word), expected);
    }
}

#[test]
fn a_failure_carries_the_last_lines_of_output() {
    let log = std::env::temp_dir().join(format!("lab-exec-{}.log", std::process::id()));
    let mut command = Command::new("sh");
    command.args(["-c", "echo the reason >&2; exit 3"]);
    let error = run(&mut command, &log).unwrap_err().to_string();
    std::fs::remove_file(&log).unwrap();
    assert!(error.contains("the reason") && error.contains("exit status: 3"), "{error}");
    assert_eq!(shown(&command), "sh -c 'echo the reason >&2; exit 3'");
}
