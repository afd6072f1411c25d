//! A chain of kernels passes when each finds what it must, and each way to go wrong is noticed.

use super::{KERNELS, all};
use crate::report::{Look, Report, Sample};
use crate::scenarios::tests::{disk, good};
use crate::scenarios::{Scenario, failures};
use crate::viommu::{Viommu, tests::SHOWN};

fn scenario() -> Scenario {
    all().pop().unwrap()
}

fn chain() -> Report {
    let mut report = good();
    let at_work: Viommu = serde_json::from_str(SHOWN).unwrap();
    for left in (0..=KERNELS).rev() {
        report.kernels.push((left, "abc".into()));
        let mut fresh = at_work.clone();
        if left > 0 {
            fresh.domains.clear();
            fresh.endpoints[0].domain = None;
            (fresh.legs[0].mappings, fresh.legs[0].host_mappings) = (0, Some(0));
        }
        for (moment, shown) in [("fresh", fresh), ("kernel", at_work.clone())] {
            let moment = format!("{moment}-{left}");
            let sample = Sample {
                moment: moment.clone(),
                role: "mixvm".into(),
                descriptors: if left == 2 { 11 } else { 9 },
                memory_kib: 1000,
                locked_kib: 0,
            };
            report.samples.push(sample);
            let pinned_pages = Some(shown.pinned / 4096);
            report.looks.push(Look { moment, shown: Some(shown), pinned_pages });
        }
    }
    report
}

fn look<'a>(report: &'a mut Report, moment: &str) -> &'a mut Look {
    report.looks.iter_mut().find(|look| look.moment == moment).unwrap()
}

#[test]
fn a_chain_of_kernels_that_find_what_they_must_passes() {
    assert_eq!(failures(&scenario(), &chain(), &disk()), Vec::<String>::new());
}

#[test]
fn each_way_to_go_wrong_in_a_chain_of_kernels_is_noticed() {
    type Change = fn(&mut Report);
    let cases: [(Change, &str); 9] = [
        (|r| r.kernels.truncate(5), "kernels and their digests"),
        (|r| r.kernels[3].1 = "abd".into(), "kernels and their digests"),
        (|r| look(r, "kernel-3").pinned_pages = Some(1), "kernel-3: 0 pages shown as pinned"),
        (|r| look(r, "kernel-1").shown.as_mut().unwrap().domains.clear(), "kernel-1: domains []"),
        (
            |r| look(r, "fresh-0").shown.as_mut().unwrap().domains.clear(),
            "fresh-0: domains [], expected none",
        ),
        (|r| look(r, "fresh-4").shown.as_mut().unwrap().bypass = true, "Some(0) pages, bypass is true"),
        (|r| look(r, "fresh-2").shown = None, "fresh-2: nothing was shown"),
        (|r| drop(r.looks.pop()), "nobody looked at the kernel before the last 0"),
        (|r| r.samples.last_mut().unwrap().descriptors = 10, "9 descriptors became 10"),
    ];
    for (change, expected) in cases {
        let mut report = chain();
        change(&mut report);
        let found = failures(&scenario(), &report, &disk());
        assert!(found.len() == 1 && found[0].contains(expected), "{expected}: {found:?}");
    }
}

#[test]
fn a_domain_that_outlives_a_reset_is_noticed() {
    let mut report = chain();
    let mut old = look(&mut report, "kernel-3").clone();
    (old.moment, old.pinned_pages) = ("fresh-3".into(), Some(7));
    *look(&mut report, "fresh-3") = old;
    let found = failures(&scenario(), &report, &disk());
    assert!(found[0].contains("expected none") && found[1].contains("Some(7) pages"), "{found:?}");
}
