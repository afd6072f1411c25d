//! The limits, one on each side.

use super::check;
use crate::lint::tree::Tree;

fn whats(files: &[(&str, &str)]) -> Vec<String> {
    check(&Tree::from_files(files.iter().copied())).into_iter().map(|violation| violation.what).collect()
}

/// A function of `lines` lines, with braces where only a scanner for the language is not misled.
fn function(name: &str, lines: usize) -> String {
    format!("fn {name}() {{\n    let _ = ('}}', \"}}\"); // }}\n{}}}\n", "    g();\n".repeat(lines - 3))
}

#[test]
fn a_file_may_have_500_lines() {
    let small = ("src/b.rs", "");
    assert_eq!(whats(&[("src/a.rs", &"// x\n".repeat(500)), small, small]), [""; 0]);
    assert_eq!(whats(&[("src/a.rs", &"// x\n".repeat(501)), small, small]).len(), 1);
    assert_eq!(whats(&[("src/a/tests.rs", &"// x\n".repeat(501))]).len(), 1, "tests too");
}

#[test]
fn the_median_file_of_the_product_may_have_150_lines() {
    let (small, long) = ("// x\n".repeat(150), "// x\n".repeat(151));
    assert_eq!(whats(&[("src/a.rs", &small), ("src/b.rs", &small), ("src/c.rs", &long)]), [""; 0]);
    assert_eq!(whats(&[("src/a.rs", &small), ("src/b.rs", &long), ("src/c.rs", &long)]).len(), 1);
    assert_eq!(whats(&[("src/a.rs", &small), ("tests/b.rs", &long), ("tests/c.rs", &long)]), [""; 0]);
}

#[test]
fn a_function_may_have_60_lines() {
    assert_eq!(whats(&[("src/a.rs", &function("f", 60))]), [""; 0]);
    assert_eq!(whats(&[("src/a.rs", &function("f", 61))]), ["`f` has 61 lines, 60 are allowed"]);
    let method = format!("impl X {{\n{}}}\ntrait T {{\n{}}}\n", function("m", 61), function("d", 61));
    assert_eq!(whats(&[("src/a.rs", &method)]).len(), 2);
    assert_eq!(whats(&[("src/a/tests.rs", &function("f", 61))]), [""; 0], "a test's table may be long");
}

#[test]
fn a_function_may_take_6_arguments_unless_its_trait_says_more() {
    let seven = "a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8";
    let six = "a: u8, b: u8, c: u8, d: u8, e: u8, f: u8";
    assert_eq!(whats(&[("src/a.rs", &format!("fn f({six}) {{}}\n"))]), [""; 0]);
    assert_eq!(whats(&[("src/a.rs", &format!("fn f({seven}) {{}}\n"))]).len(), 1);
    assert_eq!(whats(&[("src/a.rs", &format!("impl X {{ fn f(&self, {six}) {{}} }}\n"))]).len(), 1);
    assert_eq!(whats(&[("src/a.rs", &format!("impl T for X {{ fn f({seven}) {{}} }}\n"))]), [""; 0]);
}
