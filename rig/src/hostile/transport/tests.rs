//! Lists of capabilities.

use super::{COMMON, DEVICE, NOTIFY, structure};

/// A vendor's capability at `at`: kind, BAR, offset, the word behind the length.
fn put(config: &mut [u8], at: usize, next: u8, (kind, bar, offset, more): (u8, u8, u32, u32)) {
    config[at..at + 5].copy_from_slice(&[9, next, 20, kind, bar]);
    config[at + 8..at + 12].copy_from_slice(&offset.to_le_bytes());
    config[at + 16..at + 20].copy_from_slice(&more.to_le_bytes());
}

#[test]
fn structures_are_found_in_the_list() {
    let mut config = vec![0; 256];
    config[0x34] = 0x40;
    config[0x40..0x42].copy_from_slice(&[0x11, 0x60]);
    put(&mut config, 0x60, 0x80, (COMMON, 0, 0x100, 0));
    put(&mut config, 0x80, 0, (NOTIFY, 2, 0x3000, 4));
    assert_eq!(structure(&config, COMMON), Some((0, 0x100, 0)));
    assert_eq!(structure(&config, NOTIFY), Some((2, 0x3000, 4)));
    assert_eq!(structure(&config, DEVICE), None);
}

#[test]
fn a_list_without_end_is_given_up() {
    let mut config = vec![0; 256];
    config[0x34] = 0x40;
    config[0x40..0x42].copy_from_slice(&[0x11, 0x40]);
    assert_eq!(structure(&config, COMMON), None);
}
