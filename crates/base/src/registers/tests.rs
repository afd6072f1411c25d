//! Words of a mapped file, at its ends and beyond.

use std::fs::File;
use std::io::{ErrorKind, Read};

use rustix::fs::{MemfdFlags, memfd_create};

use crate::MappedRegion;

fn region() -> (File, MappedRegion) {
    let file = memfd_create("registers", MemfdFlags::CLOEXEC).unwrap();
    let file = File::from(file);
    file.set_len(4096).unwrap();
    let region = MappedRegion::new(&file, 0, 4096, true).unwrap();
    (file, region)
}

#[test]
fn words_are_little_endian_and_of_their_width() {
    let (mut file, region) = region();
    region.write_word(0, 0x11u8).unwrap();
    region.write_word(2, 0x2233u16).unwrap();
    region.write_word(4, 0x4455_6677u32).unwrap();
    region.write_word(8, 0x8899_aabb_ccdd_eeffu64).unwrap();
    let mut bytes = [0; 16];
    file.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, *b"\x11\0\x33\x22\x77\x66\x55\x44\xff\xee\xdd\xcc\xbb\xaa\x99\x88");
    assert_eq!(region.read_word::<u16>(2).unwrap(), 0x2233);
    assert_eq!(region.read_word::<u32>(12).unwrap(), 0x8899_aabb);
}

#[test]
fn nothing_outside_or_misaligned_is_touched() {
    let (_, region) = region();
    let refused = |outcome: std::io::Result<()>| outcome.unwrap_err().kind() == ErrorKind::InvalidInput;
    assert!(region.write_word(4088, 1u64).is_ok() && region.write_word(4095, 1u8).is_ok());
    assert!(refused(region.write_word(4096, 1u8)));
    assert!(refused(region.write_word(4092, 1u64)));
    assert!(refused(region.write_word(2, 1u32)));
    assert!(refused(region.write_word(usize::MAX - 3, 1u32)));
    assert!(refused(region.read_word::<u64>(4100).map(drop)));
}

#[test]
fn a_mapping_that_is_not_writable_is_only_read() {
    let (file, region) = region();
    region.write_word(8, 7u64).unwrap();
    let region = MappedRegion::new(&file, 0, 4096, false).unwrap();
    assert_eq!(region.write_word(8, 9u64).unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(region.read_word::<u64>(8).unwrap(), 7);
}
