use super::{LARGE, PAGE, STRIDE, chosen, huge_kib, pages};

#[test]
fn scattered_pages_are_all_touched_and_neighbours_never_in_a_row() {
    let order: Vec<u64> = pages(STRIDE).collect();
    assert!(order.windows(2).all(|pair| pair[0].abs_diff(pair[1]) > 1));
    let mut sorted = order;
    sorted.sort_unstable();
    assert!(sorted.iter().copied().eq(0..LARGE / PAGE));
}

#[test]
fn huge_pages_of_all_mappings_are_added() {
    let one =
        |kib: u64| format!("7f00-7f01 rw-s 0 00:01 5 /memfd:x\nRss: 4096 kB\nShmemPmdMapped:  {kib:>6} kB\n");
    assert_eq!(huge_kib(&(one(2048) + &one(0) + &one(32768))), 34816);
    assert_eq!(huge_kib("Rss: 12 kB\n"), 0, "a kernel that does not say has none");
}

#[test]
fn a_switch_is_at_the_word_in_brackets() {
    for (text, word) in [
        ("always within_size advise [never] deny force\n", Some("never")),
        ("[always] within_size advise never", Some("always")),
        ("never", None),
        ("[always", None),
    ] {
        assert_eq!(chosen(text), word, "{text}");
    }
}
