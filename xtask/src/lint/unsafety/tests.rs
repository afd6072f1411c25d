//! Where unsafe code may stand and what must stand above it.

use super::check;
use crate::lint::tree::Tree;

fn lines(path: &str, text: &str) -> Vec<usize> {
    check(&Tree::from_files([(path, text)])).iter().map(|violation| violation.line).collect()
}

#[test]
fn a_reason_right_above_the_block_or_its_statement_is_enough() {
    for text in [
        "fn f() {\n    // SAFETY: fine\n    unsafe { g() }\n}\n",
        "fn f() {\n    // SAFETY: fine,\n    // as said\n    let x = unsafe { g() };\n}\n",
        "fn f() {\n    // SAFETY: fine\n    let x =\n        unsafe { g() };\n}\n",
        "// SAFETY: fine\nunsafe impl Send for X {}\n",
        "// SAFETY: fine\n#[allow(dead_code)]\nunsafe impl Send for X {}\n",
        "/// # Safety\n/// Never.\npub unsafe fn f() {}\n",
        "fn f() { let _ = \"unsafe { }\"; } // unsafe { }\n",
    ] {
        assert_eq!(lines("crates/vfio/src/a.rs", text), [0usize; 0], "{text}");
    }
}

#[test]
fn a_block_without_its_own_reason_is_found() {
    for (text, want) in [
        ("fn f() {\n    unsafe { g() }\n}\n", 2),
        ("fn f() {\n    // SAFETY: fine\n    unsafe { g() };\n    unsafe { g() }\n}\n", 4),
        ("fn f() {\n    // SAFETY: fine\n\n    unsafe { g() }\n}\n", 4),
        ("// SAFETY: fine\nunsafe impl Send for X {}\nunsafe impl Sync for X {}\n", 3),
        ("fn f() {\n    h!(unsafe { g() });\n}\n", 2),
    ] {
        assert_eq!(lines("crates/vfio/src/a.rs", text), [want], "{text}");
    }
}

#[test]
fn other_crates_may_not_be_unsafe_even_with_a_reason_or_in_tests() {
    let text = "fn f() {\n    // SAFETY: fine\n    unsafe { g() }\n}\n";
    for path in
        ["crates/devices/src/a.rs", "src/main.rs", "lab/src/main.rs", "crates/iommu_domain/src/a/tests.rs"]
    {
        assert_eq!(lines(path, text), [3], "{path}");
    }
    assert_eq!(lines("crates/devices/src/lib.rs", "#![allow(unsafe_code)]\n"), [1]);
}

#[test]
fn the_crate_root_says_why_it_is_unsafe() {
    assert_eq!(lines("crates/base/src/lib.rs", "//! Base.\n#![allow(unsafe_code)]\n"), [2]);
    assert_eq!(
        lines("crates/base/src/lib.rs", "//! Base.\n// UNSAFETY: maps memory.\n#![allow(unsafe_code)]\n"),
        [0usize; 0]
    );
}
