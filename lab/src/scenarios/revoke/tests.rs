use super::*;

#[test]
fn a_run_that_saw_no_fault_or_did_not_end_well_is_noticed() {
    let good = || Report {
        exit: Some(0),
        rig: vec!["exit 0 revoke".into()],
        free: vec!["0000:01:00.0".into()],
        locked_kib: Some(0),
        processes: Some(0),
        pinned_pages: Some(0),
        viommu: Some(crate::viommu::Viommu {
            faults: 60,
            ..serde_json::from_str(crate::viommu::tests::SHOWN).unwrap()
        }),
        ..Report::default()
    };
    let disk = Disk { path: "/disk".into(), digest: String::new(), first_mib: String::new() };
    let found = |report: &Report| judge(&scenario(), report, &disk);
    assert_eq!(found(&good()), Vec::<String>::new());
    type Change = fn(&mut Report);
    let cases: [(Change, &str); 5] = [
        (|r| r.viommu.as_mut().unwrap().faults = 0, "counts no fault"),
        (|r| r.viommu = None, "did not answer"),
        (|r| r.rig = vec!["exit 1 revoke".into()], "did not end well"),
        (|r| r.exit = Some(33), "exit code Some(33)"),
        (|r| r.host_faults.push("DMAR: fault".into()), "DMAR: fault"),
    ];
    for (change, expected) in cases {
        let mut report = good();
        change(&mut report);
        let found = found(&report);
        assert!(found.len() == 1 && found[0].contains(expected), "{expected}: {found:?}");
    }
}
