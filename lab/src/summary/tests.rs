//! The closing page shows every measured figure.

use super::{Phase, Summary};
use crate::report::{Report, Vector};

fn summary() -> Summary {
    let vector = |name: &str, taken| Vector { name: name.into(), taken };
    let report = Report {
        exit: Some(0),
        digest: Some("abc".into()),
        reserved: vec!["0 0xfee00000 0xfeefffff msi".into()],
        vectors: vec![vector("nvme0q0", 12), vector("nvme0q1", 30)],
        viommu: Some(serde_json::from_str(crate::viommu::tests::SHOWN).unwrap()),
        ..Report::default()
    };
    Summary {
        arch: "x86_64",
        passed: true,
        failures: Vec::new(),
        digest_expected: "abc".into(),
        report,
        phases: vec![Phase { name: "run", seconds: 9.5 }],
        retries: 0,
    }
}

#[test]
fn the_page_holds_every_figure() {
    let text = summary().text();
    for part in [
        "0 0xfee00000 0xfeefffff msi",
        "0xfee00000-0xfeefffff msi (endpoint 01:00.0)",
        "0x0-0x7fffffffff",
        "0xfffffffffffff000",
        "map 90+0",
        "1: 7 live mappings",
        "type1 group 3: 7 live mappings, the kernel counts 7",
        "42 (nvme0q0 12, nvme0q1 30)",
        "digest expected  abc",
        "host DMA faults  none",
        "run 9.5",
        "retries  0",
        "result  passed",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn failures_are_listed_and_json_carries_the_same() {
    let mut summary = summary();
    summary.passed = false;
    summary.failures.push("digest differs".into());
    assert!(summary.text().contains("FAILED  digest differs"));
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(json["failures"][0], "digest differs");
    assert_eq!(json["report"]["viommu"]["legs"][0]["host_mappings"], 7);
}
