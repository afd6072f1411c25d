use super::huge_kib;

#[test]
fn huge_pages_of_all_mappings_are_added() {
    let one =
        |kib: u64| format!("7f00-7f01 rw-s 0 00:01 5 /memfd:x\nRss: 4096 kB\nShmemPmdMapped:  {kib:>6} kB\n");
    assert_eq!(huge_kib(&(one(2048) + &one(0) + &one(32768))), 34816);
    assert_eq!(huge_kib("Rss: 12 kB\n"), 0, "a kernel that does not say has none");
}
