//! What a module's first line must be.

use super::check;
use crate::lint::tree::Tree;

#[test]
fn a_product_file_begins_with_its_purpose() {
    for (path, text, want) in [
        ("src/a.rs", "//! Does this.\nfn f() {}\n", 0),
        ("src/a.rs", "//!\nfn f() {}\n", 1),
        ("src/a.rs", "\n//! Does this.\n", 1),
        ("src/a.rs", "// Does this.\n", 1),
        ("src/a.rs", "", 1),
        ("src/a/tests.rs", "use super::f;\n", 0),
    ] {
        assert_eq!(check(&Tree::from_files([(path, text)])).len(), want, "{text:?}");
    }
}
