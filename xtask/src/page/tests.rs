//! What is replaced in the page and what stays.

use super::placed;

#[test]
fn a_part_is_replaced_and_the_rest_of_the_page_stays() {
    let page = "a\n<!-- x: written by `y` -->\nold\n<!-- end of x -->\nb\n<!-- z: written by `y` -->\n<!-- end of z -->\n";
    let new = placed(page, "x", "one\ntwo").unwrap();
    assert_eq!(new, page.replace("old", "one\ntwo"));
    assert_eq!(placed(&new, "x", "old").as_deref(), Some(page));
    assert_eq!(placed(page, "w", "one"), None);
}
