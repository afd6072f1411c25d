use super::*;

#[test]
fn segments_are_flat_and_match_the_boot_protocol() {
    let entry = EntryPoint::new(0x10_0200, 0x7000);
    assert_eq!((entry.cs.selector, entry.data.selector, entry.task.selector), (0x10, 0x18, 0x20));
    for segment in [entry.cs, entry.data] {
        assert_eq!((segment.base, segment.limit), (0, u32::MAX));
        assert!(segment.present && segment.code_or_data && segment.granular && segment.dpl == 0);
    }
    assert!(entry.cs.long && !entry.cs.db);
    assert!(!entry.data.long && entry.data.db);
    assert_eq!((entry.cs.kind, entry.data.kind, entry.task.kind), (0xb, 0x3, 0xb));
    assert!(!entry.task.code_or_data);
}

#[test]
fn the_table_holds_what_the_registers_name() {
    let bytes = table();
    let entry = EntryPoint::new(0, 0);
    assert_eq!(bytes.len(), usize::from(entry.gdt_limit) + 1);
    let at = usize::from(entry.cs.selector);
    assert_eq!(bytes[at..at + 8], CODE.to_le_bytes());
}

#[test]
fn paging_and_64_bit_mode_are_on() {
    let entry = EntryPoint::new(0, 0);
    assert_eq!(entry.cr0 & 0x8000_0001, 0x8000_0001);
    assert_eq!(entry.cr4 & 0x20, 0x20);
    assert_eq!(entry.efer & 0x500, 0x500);
    assert_eq!(entry.rflags & 0x200, 0);
}
