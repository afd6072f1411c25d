use super::*;

#[test]
fn what_a_data_disk_did_not_do_is_noticed() {
    let disk = Disk { path: "/nowhere/disk.img".into(), digest: String::new(), first_mib: "ab".into() };
    let mut report = Report { folder: "/nowhere".into(), ..Report::default() };
    // Six words of the guest's, and two images that are not there.
    assert_eq!(failures(&scenario(), &report, &disk).len(), 8);
    for serial in ["layered", "plain"] {
        for (word, answer) in [("digest", "ab"), ("copy", "ok"), ("hole", "ok")] {
            report.emulated.insert(format!("{serial}-{word}"), answer.into());
        }
    }
    assert_eq!(failures(&scenario(), &report, &disk).len(), 2);
    report.emulated.insert("layered-hole".into(), "wrong".into());
    assert!(failures(&scenario(), &report, &disk)[0].contains("layered: hole is Some(\"wrong\")"));
    assert!(failures(&super::super::demo(), &Report::default(), &disk).is_empty());
}
