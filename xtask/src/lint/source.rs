//! One Rust file as the laws see it: text, flat tokens, syntax tree, and which of its lines are tests.
//!
//! Tokens come from the compiler's own tokenizer rules (proc-macro2), so strings, comments and characters never look like code,
//! and code inside macro calls does.

use std::ops::RangeInclusive;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A token and the line it stands on; brackets are tokens of their own.
#[derive(Clone, Debug)]
pub struct Token {
    /// As written.
    pub text: String,
    /// From 1.
    pub line: usize,
}

/// A parsed file.
pub struct Source {
    /// Path from the root of the tree, with `/`.
    pub path: String,
    /// The whole text.
    pub text: String,
    /// Every token in order.
    pub tokens: Vec<Token>,
    /// The syntax tree.
    pub syntax: syn::File,
    /// The whole file is test code.
    pub test: bool,
    /// Lines of items under `#[cfg(test)]` or `#[test]`.
    test_lines: Vec<RangeInclusive<usize>>,
}

impl Source {
    /// Parses one file; the error carries the line.
    pub fn parse(path: &str, text: &str) -> Result<Source, (usize, String)> {
        let stream: TokenStream =
            text.parse().map_err(|e: proc_macro2::LexError| (e.span().start().line, e.to_string()))?;
        let mut tokens = Vec::new();
        flatten(stream.clone(), &mut tokens);
        let syntax: syn::File =
            syn::parse2(stream).map_err(|e: syn::Error| (e.span().start().line, e.to_string()))?;
        let mut finder = TestFinder::default();
        finder.visit_file(&syntax);
        let test = path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "fuzz"));
        Ok(Source { path: path.into(), text: text.into(), tokens, syntax, test, test_lines: finder.lines })
    }

    /// The crate that the file belongs to; `mixvm` for the root's own.
    pub fn crate_name(&self) -> &str {
        let mut parts = self.path.split('/');
        match parts.next() {
            Some("crates") => parts.next().unwrap_or_default(),
            Some("tests") => "suites",
            Some(part @ ("lab" | "rig" | "xtask" | "fuzz")) => part,
            _ => "mixvm",
        }
    }

    /// Whether the line is test code.
    pub fn is_test(&self, line: usize) -> bool {
        self.test || self.test_lines.iter().any(|lines| lines.contains(&line))
    }

    /// Number of lines.
    pub fn len(&self) -> usize {
        self.text.lines().count()
    }

    /// Whether the tokens from `at` on read like this.
    pub fn reads(&self, at: usize, words: &[&str]) -> bool {
        self.tokens.get(at..).is_some_and(|rest| {
            rest.len() >= words.len() && rest.iter().zip(words).all(|(token, word)| token.text == *word)
        })
    }
}

/// Whether the attributes make an item test code.
pub fn is_test_item(attrs: &[syn::Attribute]) -> bool {
    attrs.iter().any(|attr| {
        let test_fn = attr.path().segments.last().is_some_and(|last| last.ident == "test");
        test_fn || (attr.path().is_ident("cfg") && cfg_needs_test(&attr.meta))
    })
}

/// `cfg(test)`, `cfg(all(…, test))`, or `cfg(any(test, feature = "test…"))`: a kit behind such a feature is for tests only. Any other
/// `any(test, …)` may be compiled into the product, so it is held to the product's laws.
fn cfg_needs_test(meta: &syn::Meta) -> bool {
    let syn::Meta::List(list) = meta else { return false };
    let flat: String = list.tokens.to_string().split_whitespace().collect();
    let all = flat.starts_with("all(test,") || (flat.starts_with("all(") && flat.contains(",test"));
    flat == "test" || all || flat.starts_with("any(test,feature=\"test")
}

fn flatten(stream: TokenStream, into: &mut Vec<Token>) {
    for tree in stream {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                into.push(Token { text: open.into(), line: group.span_open().start().line });
                flatten(group.stream(), into);
                into.push(Token { text: close.into(), line: group.span_close().start().line });
            }
            other => into.push(Token { text: other.to_string(), line: other.span().start().line }),
        }
    }
}

/// Collects the lines of test items.
#[derive(Default)]
struct TestFinder {
    lines: Vec<RangeInclusive<usize>>,
}

impl TestFinder {
    fn note(&mut self, attrs: &[syn::Attribute], item: &impl Spanned) {
        if is_test_item(attrs) {
            let span = item.span();
            self.lines.push(span.start().line..=span.end().line);
        }
    }
}

impl<'ast> Visit<'ast> for TestFinder {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.note(&item.attrs, item);
        visit::visit_item_fn(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.note(&item.attrs, item);
        visit::visit_item_mod(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.note(&item.attrs, item);
        visit::visit_item_impl(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.note(&item.attrs, item);
        visit::visit_impl_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests;
