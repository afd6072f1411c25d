//! Where tests may stand and what they may not do.

use super::check;
use crate::lint::tree::Tree;

fn lines(path: &str, text: &str) -> Vec<usize> {
    check(&Tree::from_files([(path, text)])).iter().map(|violation| violation.line).collect()
}

#[test]
fn tests_in_product_files_are_found() {
    assert_eq!(lines("src/a.rs", "fn f() {}\n#[cfg(test)]\nmod tests {\n}\n"), [3]);
    assert_eq!(lines("src/a.rs", "#[cfg(test)]\nmod kit {\n}\n"), [2]);
    assert_eq!(lines("src/a.rs", "#[test]\nfn t() {}\n"), [2]);
}

#[test]
fn sibling_files_and_test_helpers_are_left_alone() {
    assert_eq!(
        lines("src/a.rs", "#[cfg(test)]\nmod tests;\n#[cfg(test)]\nfn kit() {}\nmod inner {}\n"),
        [0usize; 0]
    );
    assert_eq!(lines("src/a/tests.rs", "mod deep {\n#[test]\nfn t() {}\n}\n"), [0usize; 0]);
}

#[test]
fn ignored_and_sleeping_tests_are_found() {
    assert_eq!(lines("src/a/tests.rs", "#[test]\n#[ignore]\nfn t() {}\n"), [2]);
    assert_eq!(lines("src/a/tests.rs", "#[test]\n#[ignore = \"slow\"]\nfn t() {}\n"), [2]);
    let sleeps = "#[test]\nfn t() {\n    std::thread::sleep(x);\n}\n";
    assert_eq!(lines("src/a/tests.rs", sleeps), [3]);
    assert_eq!(lines("src/a.rs", "fn f() {\n    std::thread::sleep(x);\n}\n"), [0usize; 0]);
}
