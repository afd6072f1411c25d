use super::*;
use crate::report::{Group, Vector};

#[test]
fn what_card_or_console_did_not_do_is_noticed() {
    let [_, behind, ..] = &all()[..] else { panic!("some scenarios") };
    let mut report = Report::default();
    assert_eq!(failures(behind, &report).len(), 5);
    for (word, answer) in [("mac", "02:00:00:00:00:07"), ("ping", "ok"), ("received", "ok"), ("sent", "ok")] {
        report.emulated.insert(word.into(), answer.into());
    }
    let group = ["0", "DMA", "0000:00:03.0", "virtio-pci"].map(str::to_owned);
    let [number, kind, device, driver] = group;
    report.groups = vec![Group { number, kind, device, driver }; 2];
    assert!(failures(behind, &report).is_empty());
    report.emulated.insert("sent".into(), "wrong".into());
    assert!(failures(behind, &report)[0].contains("sent is Some(\"wrong\")"));
    let pairs = &all()[2];
    report.emulated.insert("sent".into(), "ok".into());
    assert_eq!(failures(pairs, &report).len(), 2);
    report.vectors = ["virtio1-input.0", "virtio1-output.1", "virtio1-input.1"]
        .map(|name| Vector { name: name.into(), taken: 3 })
        .into();
    assert!(failures(pairs, &report).is_empty());
    report.vectors[2].taken = 0;
    assert_eq!(failures(pairs, &report), ["nothing came in on queue 1 of the card"]);
    assert!(failures(&super::super::demo(), &Report::default()).is_empty());
}
