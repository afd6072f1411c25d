use super::*;

#[test]
fn figures_are_kept_and_replace_those_of_the_page() {
    let mut figures = Figures::default();
    figures.write_all(b"noise\nmodel: 5 operations\nmodels: no\nfuzz: de").unwrap();
    figures.write_all(b"code: 7 executions\n").unwrap();
    let page = format!("a\n{BEGIN}\nold\n{END}\nb\n");
    let expected =
        format!("a\n{BEGIN}\n```text\nmodel: 5 operations\nfuzz: decode: 7 executions\n```\n{END}\nb\n");
    assert_eq!(figures.placed(&page), Some(expected));
    assert_eq!(figures.placed("no markers"), None);
}
