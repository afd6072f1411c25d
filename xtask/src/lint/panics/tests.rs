//! What counts as a panic and where it may stand.

use super::check;
use crate::lint::tree::Tree;

fn lines(path: &str, text: &str) -> Vec<usize> {
    check(&Tree::from_files([(path, text)])).iter().map(|violation| violation.line).collect()
}

#[test]
fn each_way_to_panic_is_found_on_its_line() {
    for code in [
        "x.unwrap()",
        "x\n        .expect(\"y\")",
        "x.unwrap_err()",
        "panic!()",
        "todo!()",
        "unimplemented!()",
        "log!(x.unwrap())",
    ] {
        let text = format!("fn f() {{\n    g();\n    {code};\n}}\n");
        let want = if code.contains('\n') { 4 } else { 3 };
        assert_eq!(lines("crates/devices/src/a.rs", &text), [want], "{code}");
    }
}

#[test]
fn what_only_looks_like_a_panic_is_left_alone() {
    for code in [
        "x.unwrap_or(1)",
        "x.unwrap_or_default()",
        "unreachable!()",
        "assert!(true)",
        "std::panic::catch_unwind(f)",
        "let _ = \"panic!()\"",
    ] {
        let text = format!("/// `x.unwrap()` panics.\nfn f() {{\n    {code}; // todo!()\n}}\n");
        assert_eq!(lines("crates/devices/src/a.rs", &text), [0usize; 0], "{code}");
    }
}

#[test]
fn tests_may_panic() {
    let text = "fn f() {\n    x.unwrap();\n}\n";
    assert_eq!(lines("crates/devices/src/a/tests.rs", text), [0usize; 0]);
    assert_eq!(lines("tests/boot.rs", text), [0usize; 0]);
    assert_eq!(lines("src/a.rs", &format!("#[cfg(test)]\n{text}")), [0usize; 0]);
    assert_eq!(lines("src/a.rs", &format!("#[cfg(not(test))]\n{text}")), [3]);
}
