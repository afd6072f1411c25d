//! Which files are the product and which are tests.

use super::Tree;

#[test]
fn a_module_declared_for_tests_makes_its_files_test_code() {
    let tree = Tree::from_files([
        ("crates/a/src/lib.rs", "#[cfg(test)]\nmod kit;\nmod kitchen;\n"),
        ("crates/a/src/kit.rs", ""),
        ("crates/a/src/kit/deep.rs", ""),
        ("crates/a/src/kitchen.rs", "#[cfg(test)]\nmod oracle;\n"),
        ("crates/a/src/kitchen/oracle.rs", ""),
        ("crates/a/src/kitchen/oven.rs", ""),
    ]);
    let product: Vec<&str> = tree.product().map(|source| source.path.as_str()).collect();
    assert_eq!(product, ["crates/a/src/lib.rs", "crates/a/src/kitchen.rs", "crates/a/src/kitchen/oven.rs"]);
}

#[test]
fn a_file_that_is_no_rust_is_reported_not_skipped() {
    let tree = Tree::from_files([("src/a.rs", "fn f(\n"), ("src/b.rs", "fn f() {}\n")]);
    assert_eq!(tree.broken.len(), 1);
    assert_eq!(tree.broken[0].path, "src/a.rs");
    assert_eq!(tree.sources.len(), 1);
}
