use super::*;

#[test]
fn lines_that_begin_with_the_name_of_a_suite_are_kept() {
    let mut figures = Figures::default();
    figures.write_all(b"noise\nmodel: 5 operations\nmodels: no\nkernel aarch64: 3\nfuzz: de").unwrap();
    figures.write_all(b"code: 7 executions\n").unwrap();
    assert_eq!(figures.kept, ["model: 5 operations", "kernel aarch64: 3", "fuzz: decode: 7 executions"]);
}
