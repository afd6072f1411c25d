use super::*;
use crate::report::Halt;

#[test]
fn a_halt_that_was_none_is_noticed() {
    let mut shown: Viommu = serde_json::from_str(crate::viommu::tests::SHOWN).unwrap();
    shown.pinned = 3 * PAGE;
    shown
        .domains
        .iter_mut()
        .for_each(|domain| domain.slots = vec![serde_json::Value::Null; domain.mappings as usize]);
    let mut unlisted = shown.clone();
    unlisted.domains[0].slots.pop();
    let good = Halt {
        pinned_pages: Some(3),
        shown: Some(shown),
        time_running: Some(250),
        time_halted: Some(0),
        console: Some(0),
        barks: Some(0),
        refused: Vec::new(),
    };
    let cases: [(&str, Halt); 8] = [
        ("", good.clone()),
        ("used no time before", Halt { time_running: Some(0), ..good.clone() }),
        ("used time while", Halt { time_halted: Some(1), ..good.clone() }),
        ("wrote to its console", Halt { console: None, ..good.clone() }),
        ("had pinned other pages", Halt { pinned_pages: Some(4), ..good.clone() }),
        ("not every mapping", Halt { shown: Some(unlisted), ..good.clone() }),
        ("its watchdogs", Halt { barks: Some(1), ..good.clone() }),
        ("not done: mixvm resume", Halt { refused: vec!["resume".into()], ..good }),
    ];
    for (words, halt) in cases {
        let report = Report { halt, ..Report::default() };
        let found = failures(&suspend(), &report);
        assert_eq!(found.len(), usize::from(!words.is_empty()), "{words}: {found:?}");
        assert!(found.iter().all(|failure| failure.contains(words)), "{words}: {found:?}");
    }
    assert!(failures(&super::super::demo(), &Report::default()).is_empty());
}
