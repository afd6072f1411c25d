//! What the laws see of a file.

use super::Source;

fn source(path: &str, text: &str) -> Source {
    Source::parse(path, text).unwrap()
}

#[test]
fn text_in_strings_and_comments_is_no_code_but_macro_arguments_are() {
    let text = "// a.unwrap()\nfn f() {\n    let _ = \"a.unwrap()\";\n    let _ = r#\"\"a.unwrap()\"#;\n    let _ = '{';\n    g!(a.unwrap());\n}\n";
    let source = source("src/a.rs", text);
    let found: Vec<usize> = (0..source.tokens.len())
        .filter(|i| source.reads(*i, &[".", "unwrap", "("]))
        .map(|i| source.tokens[i].line)
        .collect();
    assert_eq!(found, [6]);
}

#[test]
fn lines_of_test_items_are_test_lines() {
    let text = "fn f() {}\n\n#[cfg(test)]\nfn kit() {\n}\n\n#[test]\nfn t() {}\n\n#[cfg(not(test))]\nfn g() {}\n#[cfg(any(test, fuzzing))]\nfn h() {}\n#[cfg(all(unix, test))]\nfn i() {}\n#[cfg(any(test, feature = \"testkit\"))]\nfn j() {}\n";
    let source = source("src/a.rs", text);
    let lines: Vec<usize> = (1..=17).filter(|line| source.is_test(*line)).collect();
    assert_eq!(lines, [3, 4, 5, 7, 8, 14, 15, 16, 17]);
}

#[test]
fn a_path_tells_the_crate_and_whether_the_whole_file_is_a_test() {
    for (path, name, test) in [
        ("crates/base/src/lib.rs", "base", false),
        ("crates/base/src/poller/tests.rs", "base", true),
        ("crates/base/tests/all.rs", "base", true),
        ("crates/base/src/testing.rs", "base", false),
        ("src/main.rs", "mixvm", false),
        ("tests/boot.rs", "suites", true),
        ("lab/src/main.rs", "lab", false),
        ("xtask/src/main.rs", "xtask", false),
        ("fuzz/src/decode.rs", "fuzz", true),
    ] {
        let source = source(path, "");
        assert_eq!((source.crate_name(), source.test), (name, test), "{path}");
    }
}

#[test]
fn a_file_that_does_not_parse_tells_its_line() {
    let error = Source::parse("src/a.rs", "fn f() {}\n\nfn g( {}\n").map(|_| ()).unwrap_err();
    assert_eq!(error.0, 3, "{error:?}");
    assert!(Source::parse("src/a.rs", "fn f() {\n").is_err());
}
