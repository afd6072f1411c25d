//! Policy text: what it means, and what is wrong with it, by file and line.

use std::path::Path;

use super::{PolicyError, Sources, parse};
use crate::policy::{Condition, Policy, Test, Verdict};

/// A small tree of files.
const FILES: &[(&str, &str)] = &[
    ("s/common", "read: 1 # always\n\n# nothing\nioctl: arg1 == 1\n"),
    ("any/deep", "@include ../s/common\nwrite: 1\n"),
    ("s/circle", "@include circle\n"),
    ("s/broken", "read: 1\nwrit: 1\n"),
];

fn read(text: &str) -> Result<Policy, PolicyError> {
    let number =
        |name: &str| ["read", "write", "mmap", "ioctl", "clone3"].iter().position(|known| *known == name);
    let sources = Sources {
        read: &|path: &Path| {
            let file =
                FILES.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_string());
            if path == Path::new("s/main") {
                Ok(text.into())
            } else {
                file.ok_or_else(|| "no such file".into())
            }
        },
        number: &|name| number(name).and_then(|number| u32::try_from(number).ok()),
    };
    parse(Path::new("s/main"), &sources)
}

fn one(arg: u8, wide: bool, test: Test) -> Condition {
    Condition { arg, wide, test }
}

#[test]
fn a_rule_means_what_it_says() {
    use Test::{AtMost, Equal, NotEqual, Within};
    let cases: &[(&str, u32, Verdict)] = &[
        ("read: 1", 0, Verdict::Always),
        ("clone3: return ENOSYS", 4, Verdict::Answer(38)),
        ("mmap: arg2 == 7", 2, Verdict::AnyOf(vec![vec![one(2, true, Equal(7))]])),
        ("mmap: arg2 within PROT_READ|PROT_WRITE", 2, Verdict::AnyOf(vec![vec![one(2, true, Within(3))]])),
        (
            "mmap: arg5 <= 0x10 && arg0 != 2",
            2,
            Verdict::AnyOf(vec![vec![one(5, true, AtMost(16)), one(0, true, NotEqual(2))]]),
        ),
        (
            "mmap: arg0 == 1 || arg1 == 2",
            2,
            Verdict::AnyOf(vec![vec![one(0, true, Equal(1))], vec![one(1, true, Equal(2))]]),
        ),
        // An int: the kernel looks at 32 bits.
        ("ioctl: arg1 == VFIO_IOMMU_MAP_DMA", 3, Verdict::AnyOf(vec![vec![one(1, false, Equal(0x3b71))]])),
        (
            "mmap: arg0 in {1, 2} && arg1 in {3, 4}",
            2,
            Verdict::AnyOf(
                [(1, 3), (1, 4), (2, 3), (2, 4)]
                    .map(|(a, b)| vec![one(0, true, Equal(a)), one(1, true, Equal(b))])
                    .into(),
            ),
        ),
        ("@include common", 0, Verdict::Always),
        ("@include ../any/deep", 1, Verdict::Always),
        // Lines of several files for one call add up.
        (
            "@include common\nioctl: arg1 == 2",
            3,
            Verdict::AnyOf(vec![vec![one(1, false, Equal(1))], vec![one(1, false, Equal(2))]]),
        ),
    ];
    for (text, number, want) in cases {
        let policy = read(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let mut got = policy[number].verdict.clone();
        let mut want = want.clone();
        for verdict in [&mut got, &mut want] {
            if let Verdict::AnyOf(alternatives) = verdict {
                alternatives.sort_by_key(|all| format!("{all:?}"));
            }
        }
        assert_eq!(got, want, "{text}");
    }
}

#[test]
fn a_mistake_is_told_with_file_and_line() {
    let cases = [
        ("read: 1\nraed: 1", "s/main:2: this architecture has no system call `raed`"),
        ("\nioctl: arg1 == VFIO_NONSENSE", "s/main:2: `VFIO_NONSENSE` is no constant"),
        ("read", "s/main:1: `read` is not `name: rule`"),
        ("read: 2", "s/main:1: `2` is not `argN"),
        ("read:", "s/main:1: `` is not `argN"),
        ("mmap: arg6 == 1", "s/main:1: `arg6 == 1` is not"),
        ("mmap: arg0 = 1", "s/main:1: `arg0 = 1` is not"),
        ("mmap: arg0 in 1", "s/main:1: `arg0 in 1` is not"),
        ("mmap: arg0 == {1}", "s/main:1: `arg0 == {1}` is not"),
        ("mmap: arg0 == 1 ||", "s/main:1: `` is not"),
        ("mmap: arg0 == 99999999999999999999", "s/main:1: `99999999999999999999` is no constant"),
        ("clone3: return EBOGUS", "s/main:1: `EBOGUS` is no error"),
        ("read: 1\nread: 1", "s/main:2: `read` is settled by s/main:1 already"),
        ("@include common\nread: 1", "s/main:2: `read` is settled by s/common:1 already"),
        ("@include common\nioctl: 1", "s/main:2: `ioctl` is settled by s/common:4 already"),
        ("@include common\nioctl: arg1 == 1", "s/main:2: [Condition"),
        ("@include broken", "s/broken:2: this architecture has no system call `writ`"),
        ("@include absent", "s/main:1: s/absent cannot be read: no such file"),
        ("@include circle", "s/circle:1: includes nest deeper than 8"),
        (
            "mmap: arg0 in {1,2,3,4,5,6,7,8,9} && arg1 in {1,2,3,4,5,6,7,8}",
            "s/main:1: the line stands for 72 alternatives",
        ),
    ];
    for (text, want) in cases {
        let error = read(text).expect_err(text).to_string();
        assert!(error.starts_with(want), "{text:?}: {error} / {want}");
    }
}
