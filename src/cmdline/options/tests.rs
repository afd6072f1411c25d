use super::*;

const KEYS: &[Key] = &[
    Key { name: "path", form: "PATH", help: &["Where."] },
    Key { name: "iommu", form: "iommu=viommu|off", help: &["Behind", " what."] },
    Key { name: "unsafe-interrupts", form: "unsafe-interrupts=on|off", help: &["Risk."] },
];

/// Text, the key that may stand bare, and what comes out.
type Cut = (&'static str, Option<&'static str>, &'static [(&'static str, Option<&'static str>)]);

#[test]
fn text_is_cut_into_keys_and_values() {
    let cases: &[Cut] = &[
        ("", None, &[]),
        ("/sys/a,iommu=off", Some("path"), &[("iommu", Some("off")), ("path", Some("/sys/a"))]),
        ("iommu=off,path=/sys/a", Some("path"), &[("iommu", Some("off")), ("path", Some("/sys/a"))]),
        (
            "/sys/a=b,unsafe-interrupts",
            Some("path"),
            &[("path", Some("/sys/a=b")), ("unsafe-interrupts", None)],
        ),
        ("iommu=a=b", None, &[("iommu", Some("a=b"))]),
    ];
    for (text, bare, expected) in cases {
        let values = cut(text, KEYS, *bare).unwrap();
        assert_eq!(values.into_iter().collect::<Vec<_>>(), *expected, "{text}");
    }
}

#[test]
fn wrong_keys_are_named_with_what_would_be_right() {
    for (text, bare, words) in [
        (
            "iomu=off",
            None,
            "unknown key `iomu`; did you mean `iommu`? Valid keys: path, iommu, unsafe-interrupts",
        ),
        ("a,unsafe-interupts=on", Some("path"), "did you mean `unsafe-interrupts`?"),
        ("a,zzz", Some("path"), "unknown key `zzz`; valid keys: path, iommu, unsafe-interrupts"),
        ("iommu=off,iommu=viommu", None, "iommu is given twice"),
        ("a,path=b", Some("path"), "path is given twice"),
        ("a,,iommu=off", Some("path"), "unknown key ``"),
    ] {
        let error = cut(text, KEYS, bare).unwrap_err();
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[test]
fn values_are_read_by_type() {
    let read = |text: &'static str| cut(text, KEYS, None).unwrap();
    assert_eq!(take(&mut read("unsafe-interrupts"), "unsafe-interrupts"), Ok(Some(Switch(true))));
    assert_eq!(take(&mut read("unsafe-interrupts=off"), "unsafe-interrupts"), Ok(Some(Switch(false))));
    assert_eq!(take::<Switch>(&mut read(""), "unsafe-interrupts"), Ok(None));
    assert_eq!(
        take::<Switch>(&mut read("unsafe-interrupts=1"), "unsafe-interrupts"),
        Err("unsafe-interrupts=1: must be on or off".to_owned())
    );
    assert_eq!(
        take::<u64>(&mut read("path=0x10"), "path"),
        Err("path=0x10: must be a whole number".to_owned())
    );
    assert_eq!(take::<String>(&mut read("path="), "path"), Err("path=: needs a value".to_owned()));
}

#[test]
fn help_is_made_of_the_doc_comments() {
    let text = help(&[" About", " this."], KEYS);
    assert!(
        text.starts_with("About this.\n  PATH\n      Where.\n  iommu=viommu|off\n      Behind what."),
        "{text}"
    );
}
