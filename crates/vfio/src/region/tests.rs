//! Region answers of a kernel.

use data_model::Span;

use super::RegionInfo;
use crate::InfoError;

const READ_WRITE_MMAP: u32 = 7;
const CAPS: u32 = 8;

fn answer(flags: u32, size: u64, capabilities: &[u8]) -> Vec<u8> {
    let first = if capabilities.is_empty() { 0u32 } else { 32 };
    let mut bytes = [0, flags, 0, first].map(u32::to_ne_bytes).concat();
    bytes.extend(size.to_ne_bytes());
    bytes.extend((1u64 << 40).to_ne_bytes());
    bytes.extend(capabilities);
    bytes
}

fn sparse(next: u32, areas: &[(u64, u64)]) -> Vec<u8> {
    let mut bytes = [1u32 | 1 << 16, next, areas.len() as u32, 0].map(u32::to_ne_bytes).concat();
    for (offset, size) in areas {
        bytes.extend(offset.to_ne_bytes());
        bytes.extend(size.to_ne_bytes());
    }
    bytes
}

fn span(start: u64, last: u64) -> Span {
    Span::new(start, last).unwrap()
}

#[test]
fn a_region_without_capabilities_is_mappable_as_a_whole_or_not_at_all() {
    let whole = RegionInfo::parse(&answer(READ_WRITE_MMAP, 0x4000, &[])).unwrap();
    assert_eq!(whole.mappable, [span(0, 0x3fff)]);
    assert!(whole.readable && whole.writable && !whole.msix_mappable);
    let trapped = RegionInfo::parse(&answer(3, 0x4000, &[])).unwrap();
    assert_eq!(trapped.mappable, []);
    let absent = RegionInfo::parse(&answer(READ_WRITE_MMAP, 0, &[])).unwrap();
    assert_eq!((absent.size, absent.mappable.len()), (0, 0));
}

#[test]
fn sparse_areas_are_kept_inside_the_region_and_empty_ones_dropped() {
    let mut caps = sparse(32 + 16 + 4 * 16, &[(0, 0x1000), (0x3000, 0), (0x3000, 0x9000), (u64::MAX, 2)]);
    caps.extend([3u32 | 1 << 16, 0].map(u32::to_ne_bytes).concat());
    let info = RegionInfo::parse(&answer(READ_WRITE_MMAP | CAPS, 0x4000, &caps)).unwrap();
    assert_eq!(info.mappable, [span(0, 0xfff), span(0x3000, 0x3fff)]);
    assert!(info.msix_mappable);
}

#[test]
fn a_sparse_count_beyond_the_answer_is_refused() {
    let mut caps = sparse(0, &[(0, 0x1000)]);
    caps[8..12].copy_from_slice(&2u32.to_ne_bytes());
    let answer = answer(READ_WRITE_MMAP | CAPS, 0x4000, &caps);
    assert!(matches!(RegionInfo::parse(&answer), Err(InfoError::Short { .. })));
}

#[test]
fn an_access_that_leaves_the_region_has_no_place() {
    let info = RegionInfo { size: 0x100, file_offset: 0x7000, ..RegionInfo::default() };
    let cases = [
        (0, 4, Some(0x7000)),
        (0xfc, 4, Some(0x70fc)),
        (0xfd, 4, None),
        (0x100, 1, None),
        (u64::MAX, 4, None),
        (0, 0, None),
    ];
    for (offset, len, expected) in cases {
        assert_eq!(info.place(offset, len), expected, "{len} bytes at {offset:#x}");
    }
}
