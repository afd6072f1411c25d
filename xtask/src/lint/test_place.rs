//! Tests sit in sibling files, none is ignored, and none sleeps for luck.

use super::source::{Source, is_test_item};
use super::tree::Tree;
use super::violation::Violation;

const LAW: &str = "tests";

/// Checks every file.
pub fn check(tree: &Tree) -> Vec<Violation> {
    tree.sources.iter().flat_map(check_source).collect()
}

fn check_source(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut report = |line, what: &str, remedy| {
        found.push(Violation { path: source.path.clone(), line, law: LAW, what: what.into(), remedy });
    };
    for (line, what) in inline_tests(source) {
        report(
            line,
            what,
            "move it to the sibling file `<module>/tests.rs`, declared by `#[cfg(test)] mod tests;`",
        );
    }
    for at in 0..source.tokens.len() {
        let line = source.tokens[at].line;
        if source.reads(at, &["#", "[", "ignore"]) {
            report(line, "an ignored test", "make it run in its rig, or delete it");
        }
        if source.is_test(line) && source.reads(at, &["sleep", "("]) {
            report(line, "a test that sleeps", "wait for the event itself, with a limit on the time");
        }
    }
    found
}

/// Test modules with a body, and test functions, in files of the product.
fn inline_tests(source: &Source) -> Vec<(usize, &'static str)> {
    if source.test {
        return Vec::new();
    }
    let of_item = |item: &syn::Item| match item {
        syn::Item::Mod(item)
            if item.content.is_some() && (is_test_item(&item.attrs) || item.ident == "tests") =>
        {
            Some((item.mod_token.span.start().line, "an inline test module"))
        }
        syn::Item::Fn(item) if item.attrs.iter().any(is_test_attribute) => {
            Some((item.sig.fn_token.span.start().line, "a test function in product code"))
        }
        _ => None,
    };
    source.syntax.items.iter().filter_map(of_item).collect()
}

fn is_test_attribute(attr: &syn::Attribute) -> bool {
    attr.path().segments.last().is_some_and(|last| last.ident == "test")
}

#[cfg(test)]
mod tests;
