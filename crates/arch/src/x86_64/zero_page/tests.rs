use super::*;

fn u32_at(page: &ZeroPage, at: usize) -> u32 {
    u32::from_le_bytes(page.bytes()[at..at + 4].try_into().unwrap())
}

fn u64_at(page: &ZeroPage, at: usize) -> u64 {
    u64::from_le_bytes(page.bytes()[at..at + 8].try_into().unwrap())
}

#[test]
fn the_header_is_taken_up_to_its_own_end() {
    let mut header = vec![0x5a; 0x9f];
    header[0x201 - HEADER] = 0x6a;
    let page = ZeroPage::new(&header);
    let end = MAGIC + 0x6a;
    assert_eq!(page.bytes()[end - 1], 0x5a);
    assert_eq!(page.bytes()[end], 0);
    assert_eq!(page.bytes()[LOADER], 0xff);
}

#[test]
fn a_header_cannot_reach_the_memory_map() {
    let mut header = vec![0x5a; 0x400];
    header[0x201 - HEADER] = 0xff;
    let page = ZeroPage::new(&header);
    assert_eq!(page.bytes()[E820..], vec![0; PAGE - E820]);
}

#[test]
fn everything_is_where_the_protocol_says() {
    let mut page = ZeroPage::without_header();
    page.cmdline(0x2_0000);
    page.initrd(Span::from_len(0x7f00_0000, 0x1234).unwrap());
    page.rsdp(0xe_0000);
    let high = Span::from_len(1 << 32, 1 << 30).unwrap();
    page.memory(&[(Span::new(0, 0x9_ffff).unwrap(), Memory::Usable), (high, Memory::Reserved)]);
    assert_eq!(page.bytes().len(), 4096);
    assert_eq!(u32_at(&page, 0x202), 0x5372_6448);
    assert_eq!(u32_at(&page, 0x228), 0x2_0000);
    assert_eq!((u32_at(&page, 0x218), u32_at(&page, 0x21c)), (0x7f00_0000, 0x1234));
    assert_eq!(u64_at(&page, 0x70), 0xe_0000);
    assert_eq!(page.bytes()[0x1e8], 2);
    assert_eq!((u64_at(&page, 0x2d0), u64_at(&page, 0x2d8), u32_at(&page, 0x2e0)), (0, 0xa_0000, 1));
    assert_eq!((u64_at(&page, 0x2e4), u64_at(&page, 0x2ec), u32_at(&page, 0x2f4)), (1 << 32, 1 << 30, 2));
}
