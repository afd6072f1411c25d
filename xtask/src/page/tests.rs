//! What is replaced in the page and what stays.

use super::{keep, placed};

#[test]
fn a_report_is_kept_in_place_of_the_one_before() {
    let folder = std::env::temp_dir().join(format!("mixvm-xtask-report-{}", std::process::id()));
    for report in ["one", "two"] {
        let path = keep(&folder, "ci", report).unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), format!("{report}\n"));
    }
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn a_part_is_replaced_and_the_rest_of_the_page_stays() {
    let page = "a\n<!-- x: written by `y` -->\nold\n<!-- end of x -->\nb\n<!-- z: written by `y` -->\n<!-- end of z -->\n";
    let new = placed(page, "x", "one\ntwo").unwrap();
    assert_eq!(new, page.replace("old", "one\ntwo"));
    assert_eq!(placed(&new, "x", "old").as_deref(), Some(page));
    assert_eq!(placed(page, "w", "one"), None);
}
