//! What the last life must not have more of than the first.

use super::across;
use crate::report::{Report, Sample};

fn life() -> Report {
    let sample = |role: &str| Sample {
        moment: "life".into(),
        role: role.into(),
        descriptors: 9,
        memory_kib: 1000,
        locked_kib: 0,
    };
    Report {
        samples: ["mixvm", "virtio-iommu"].map(sample).into(),
        host_files: Some(100),
        host_memory_kib: Some(900_000),
        ..Report::default()
    }
}

#[test]
fn lives_that_hold_the_same_pass_and_their_figures_are_told() {
    let (one, two) = (life(), life());
    let (more_files, less_memory) =
        (Report { host_files: Some(164), ..life() }, Report { host_memory_kib: Some(895_904), ..life() });
    for within in [&more_files, &less_memory] {
        assert_eq!(across(&[("again-1", &one), ("again-2", within)]).unwrap().1, Vec::<String>::new());
    }
    let (figures, failures) = across(&[("demo", &one), ("again-1", &one), ("again-2", &two)]).unwrap();
    assert_eq!(failures, Vec::<String>::new());
    let first = "mixvm 9 files 1000 KiB, virtio-iommu 9 files 1000 KiB; host 100 files, 900000 KiB to give";
    assert_eq!(figures, format!("2 lives; first: {first}; last: {first}"));
    assert!(across(&[("again-1", &one), ("demo", &two)]).is_none());
}

#[test]
fn growth_from_life_to_life_is_noticed() {
    type Change = fn(&mut Report);
    let cases: [(Change, &str); 6] = [
        (|r| r.samples[1].descriptors = 10, "9 descriptors became 10"),
        (|r| r.samples[1].memory_kib = 2000, "1000 KiB of memory became 2000"),
        (|r| r.samples.clear(), "only at first"),
        (|r| r.host_files = Some(165), "open files of the host: 100 after the first life, 165 after"),
        (|r| r.host_memory_kib = Some(895_903), "900000 after the first life, 895903 after"),
        (|r| r.host_memory_kib = None, "KiB that the host has to give: not told"),
    ];
    for (change, expected) in cases {
        let (one, mut two) = (life(), life());
        change(&mut two);
        let (_, failures) = across(&[("again-1", &one), ("again-2", &two)]).unwrap();
        assert!(failures.len() == 1 && failures[0].contains(expected), "{expected}: {failures:?}");
    }
}
