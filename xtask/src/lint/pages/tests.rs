//! What a page of the book must be.

use super::{SUMMARY, check};
use crate::lint::tree::Tree;

fn whats(files: &[(&str, &str)]) -> Vec<String> {
    check(&Tree::from_files(files.iter().copied())).into_iter().map(|violation| violation.what).collect()
}

const GOOD: &str = "# One\n\nThis page tells of one thing\nover two lines.\n\nMore. And more.\n";

#[test]
fn a_page_opens_with_a_title_and_one_sentence() {
    let summary = (SUMMARY, "- [One](one.md)\n");
    assert_eq!(whats(&[summary, ("docs/src/one.md", GOOD)]), [""; 0]);
    for text in
        ["One\n\nA sentence.\n", "# One\n\nA sentence. Another.\n", "# One\n\nno full stop\n", "# One\n"]
    {
        assert_eq!(whats(&[summary, ("docs/src/one.md", text)]).len(), 1, "{text:?}");
    }
}

#[test]
fn a_page_is_short_and_in_the_summary() {
    let long = format!("{GOOD}{}", "x\n".repeat(400));
    assert_eq!(whats(&[(SUMMARY, "[One](one.md)\n"), ("docs/src/one.md", &long)]).len(), 1);
    assert_eq!(
        whats(&[(SUMMARY, "# Summary\n"), ("docs/src/one.md", GOOD)]),
        ["the page is not in the summary"]
    );
}

#[test]
fn links_lead_to_files_of_the_tree() {
    let page = |link: &str| format!("{GOOD}\n[x]({link})\n");
    let summary = (SUMMARY, "[One](one.md)\n");
    for (link, want) in [
        ("one.md", 0),
        ("one.md#more", 0),
        ("#more", 0),
        ("https://example.org/a.md", 0),
        ("../../README.md", 0),
        ("two.md", 1),
        ("../../../README.md", 1),
    ] {
        let files = [summary, ("docs/src/one.md", &page(link)), ("README.md", "# Hi\n")];
        assert_eq!(whats(&files).len(), want, "{link}");
    }
}
