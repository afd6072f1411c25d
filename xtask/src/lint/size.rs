//! Small files, small functions, few arguments.
//!
//! Files count every line, tests too; functions count from `fn` to the closing brace, in the product only. A method that a
//! trait prescribes may have as many arguments as the trait says.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::source::Source;
use super::tree::Tree;
use super::violation::Violation;

/// Lines of the longest file.
const FILE: usize = 500;
/// Lines of the median file of the product.
const MEDIAN: usize = 150;
/// Lines of the longest function.
const FUNCTION: usize = 60;
/// Arguments, `self` included.
const ARGUMENTS: usize = 6;

const LAW: &str = "size";

/// Checks all files, and the functions of the product.
pub fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in tree.sources.iter().filter(|source| source.len() > FILE) {
        found.push(Violation {
            path: source.path.clone(),
            line: FILE + 1,
            law: LAW,
            what: format!("the file has {} lines, {FILE} are allowed", source.len()),
            remedy: "split it by job into files of one module",
        });
    }
    found.extend(median(tree));
    for source in tree.product() {
        let mut measure = Measure { source, in_trait_impl: false, found: Vec::new() };
        measure.visit_file(&source.syntax);
        found.append(&mut measure.found);
    }
    found
}

fn median(tree: &Tree) -> Option<Violation> {
    let mut lengths: Vec<usize> = tree.product().map(Source::len).collect();
    lengths.sort_unstable();
    let middle = *lengths.get(lengths.len() / 2)?;
    (middle > MEDIAN).then(|| Violation {
        path: "Cargo.toml".into(),
        line: 1,
        law: LAW,
        what: format!("the median file of the product has {middle} lines, {MEDIAN} are allowed"),
        remedy: "split the longest files by job",
    })
}

struct Measure<'a> {
    source: &'a Source,
    in_trait_impl: bool,
    found: Vec<Violation>,
}

impl Measure<'_> {
    fn function(&mut self, signature: &syn::Signature, end: Span) {
        let line = signature.fn_token.span().start().line;
        if self.source.is_test(line) {
            return;
        }
        let lines = end.end().line.saturating_sub(line) + 1;
        if lines > FUNCTION {
            let what = format!("`{}` has {lines} lines, {FUNCTION} are allowed", signature.ident);
            self.report(line, what, "name its steps and make each a function");
        }
        let arguments = signature.inputs.len();
        if arguments > ARGUMENTS && !self.in_trait_impl {
            let what = format!("`{}` takes {arguments} arguments, {ARGUMENTS} are allowed", signature.ident);
            self.report(line, what, "group those that belong together in a struct");
        }
    }

    fn report(&mut self, line: usize, what: String, remedy: &'static str) {
        self.found.push(Violation { path: self.source.path.clone(), line, law: LAW, what, remedy });
    }
}

impl<'ast> Visit<'ast> for Measure<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, item.block.span());
        visit::visit_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let outer = std::mem::replace(&mut self.in_trait_impl, item.trait_.is_some());
        visit::visit_item_impl(self, item);
        self.in_trait_impl = outer;
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, item.block.span());
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.function(&item.sig, item.span());
        visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests;
