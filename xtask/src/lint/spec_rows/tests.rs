//! Rows and the tests that name them.

use super::{PAGE, check, rows};
use crate::lint::tree::Tree;

const TABLE: &str =
    "# Rows\n\n| row | the device |\n|---|---|\n| A1 | x |\n| A10 | y |\n| U2 | z |\n| RANGE | no row |\n";

fn missing(path: &str, text: &str) -> Vec<usize> {
    check(&Tree::from_files([(PAGE, TABLE), (path, text)])).iter().map(|violation| violation.line).collect()
}

#[test]
fn rows_are_the_first_cells_with_a_letter_and_a_number() {
    let rows: Vec<String> =
        rows(&Tree::from_files([(PAGE, TABLE)])).into_iter().map(|(_, row)| row).collect();
    assert_eq!(rows, ["A1", "A10", "U2"]);
}

#[test]
fn a_test_names_its_rows_by_whole_words() {
    let tests = "crates/devices/src/a/tests.rs";
    assert_eq!(missing(tests, ""), [5, 6, 7]);
    assert_eq!(missing(tests, "#[test]\nfn a10_x() {}\n"), [5, 7]);
    assert_eq!(
        missing(tests, "#[test]\nfn a1_u2_x() {}\nproptest! {\n#[test]\nfn a10_y(x in 0..3) {}\n}\n"),
        [0usize; 0]
    );
    assert_eq!(missing(tests, "fn f() { let u2 = \"a1\"; } // a10 \"A10\"\n"), [5, 6, 7]);
    assert_eq!(missing(tests, "const CASES: &[&str] = &[\"A1\", \"A10: more\", \"no U2\"];\n"), [7]);
    assert_eq!(missing("crates/devices/src/a.rs", "fn a1_x() {}\n"), [5, 6, 7], "product code shows nothing");
}

#[test]
fn the_page_names_the_tests_that_there_are() {
    let page = |cell: &str| format!("| row | the device | shown by |\n|---|---|---|\n| A1 | x | {cell} |\n");
    let tests = ("crates/devices/src/a/tests.rs", "#[test]\nfn a1_x() {}\n");
    let lines = |page: String| {
        let found = check(&Tree::from_files([(PAGE, page.as_str()), tests]));
        found.iter().map(|violation| violation.line).collect::<Vec<_>>()
    };
    assert_eq!(lines(page("`a1_x` (tests.rs)")), [0usize; 0]);
    assert_eq!(lines(page("`a1_y` (tests.rs)")), [3]);
}
