//! Which lines are figures, and what of a run comes into the page.

use std::time::Duration;

use super::super::Counts;
use super::*;

fn heard(text: &str) -> Figures {
    let mut figures = Figures::default();
    figures.write_all(text.as_bytes()).unwrap();
    figures
}

fn taken(names: &[&str]) -> Vec<Outcome> {
    let counts = Counts { passed: 3, ..Counts::default() };
    let outcome = |name: &&str| Outcome {
        name: (*name).into(),
        time: Duration::from_secs(2),
        counts,
        problem: None,
        last_lines: Vec::new(),
    };
    names.iter().map(outcome).collect()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).into()).collect()
}

#[test]
fn lines_that_begin_with_the_name_of_a_suite_are_kept() {
    let mut figures = heard("noise\nmodel: 5 operations\nmodels: no\nkernel aarch64: 3\nfuzz: de");
    figures.write_all(b"code: 7 executions\n").unwrap();
    let kept: Vec<&str> = figures.lines().collect();
    assert_eq!(kept, ["model: 5 operations", "kernel aarch64: 3", "fuzz: decode: 7 executions"]);
}

#[test]
fn the_last_line_of_a_suite_counts() {
    let figures = heard("fuzz: decode: no failure\nloom: 8\nfuzz: block: no failure\nfuzz: 9 executions\n");
    assert_eq!(figures.lines().collect::<Vec<_>>(), ["fuzz: 9 executions", "loom: 8"]);
}

#[test]
fn the_page_holds_one_run_and_says_what_it_left_out() {
    let whole = names(&["test", "model", "rig x86_64", "lab x86_64"]);
    let printed = "model: 5 operations\nkernel x86_64: 6\noracle x86_64: 7\n";
    let page = heard(printed).of_ci(&taken(&["test", "model", "rig x86_64", "lab x86_64"]), &whole);
    let step = |name: &str| format!("{name:<14}     2.0 s  ok      3 passed, 0 failed\n");
    let steps = ["test", "model", "rig x86_64", "lab x86_64"].map(step).concat();
    assert_eq!(page, format!("One run of `cargo xtask ci`, all steps.\n\n```text\n{steps}\n{printed}```"));

    let page = heard("model: 5 operations\n").of_ci(&taken(&["test", "model"]), &whole);
    let told = "in part. Not run, and not below: rig x86_64, lab x86_64.\n";
    assert!(page.contains(told) && !page.contains("kernel"), "{page}");
}

#[test]
fn a_step_that_ran_and_printed_no_figure_leaves_the_page_alone() {
    for (printed, missing) in
        [("kernel x86_64: 6\noracle x86_64: 7\n", "model"), ("model: 5\nkernel x86_64: 6\n", "oracle x86_64")]
    {
        let error = heard(printed).complete(&taken(&["model", "rig x86_64"])).unwrap_err();
        assert!(error.to_string().contains(&format!("\"{missing}: \"")), "{error}");
    }
}
