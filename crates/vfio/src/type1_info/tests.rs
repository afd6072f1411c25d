//! Answers of a kernel, whole and damaged.

use data_model::{PageMask, Span};
use proptest::prelude::*;

use super::Type1Info;
use crate::InfoError;

const GRANULES: u64 = 0x4020_1000;

/// An answer as bytes: the fixed part, then capabilities (id, body), chained; the offset of the first is 24.
fn answer(flags: u32, capabilities: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(0u32.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(GRANULES.to_ne_bytes());
    bytes.extend(if capabilities.is_empty() { 0u32 } else { 24 }.to_ne_bytes());
    bytes.extend(0u32.to_ne_bytes());
    for (index, (id, body)) in capabilities.iter().enumerate() {
        let next = if index + 1 == capabilities.len() { 0 } else { bytes.len() + 8 + body.len() };
        bytes.extend(id.to_ne_bytes());
        bytes.extend(1u16.to_ne_bytes());
        bytes.extend((next as u32).to_ne_bytes());
        bytes.extend(body);
    }
    bytes
}

fn ranges(claimed: u32, spans: &[(u64, u64)]) -> (u16, Vec<u8>) {
    let mut body = Vec::new();
    body.extend(claimed.to_ne_bytes());
    body.extend(0u32.to_ne_bytes());
    for (start, last) in spans {
        body.extend(start.to_ne_bytes());
        body.extend(last.to_ne_bytes());
    }
    (1, body)
}

#[test]
fn ranges_and_room_for_mappings_are_read_and_unknown_capabilities_skipped() {
    let spans = [(0, 0xfedf_ffff), (0xfef0_0000, u64::MAX)];
    let migration = (2u16, vec![0xff; 24]);
    let bytes = answer(3, &[migration, ranges(2, &spans), (3, 65535u32.to_ne_bytes().to_vec())]);
    let info = Type1Info::parse(&bytes).unwrap();
    assert_eq!(info.page_sizes, PageMask::new(GRANULES).unwrap());
    let expected = spans.map(|(start, last)| Span::new(start, last).unwrap()).to_vec();
    assert_eq!(info.iova_ranges, Some(expected));
    assert_eq!(info.dma_avail, Some(65535));
}

#[test]
fn an_answer_without_capabilities_names_no_restriction() {
    for bytes in [answer(1, &[]), answer(3, &[]), answer(1, &[ranges(1, &[(0, 1)])])] {
        let info = Type1Info::parse(&bytes).unwrap();
        assert_eq!((info.iova_ranges, info.dma_avail), (None, None));
    }
}

#[test]
fn damaged_answers_are_refused() {
    let mut looped = answer(3, &[ranges(0, &[])]);
    looped[28..32].copy_from_slice(&24u32.to_ne_bytes());
    assert!(matches!(Type1Info::parse(&looped), Err(InfoError::Endless)));
    let mut outside = answer(3, &[ranges(0, &[])]);
    outside[16..20].copy_from_slice(&u32::MAX.to_ne_bytes());
    assert!(matches!(Type1Info::parse(&outside), Err(InfoError::Short { .. })));
    let too_many = answer(3, &[ranges(u32::MAX, &[(0, 1)])]);
    assert!(matches!(Type1Info::parse(&too_many), Err(InfoError::Short { .. })));
    let reversed = answer(3, &[ranges(1, &[(2, 1)])]);
    assert!(matches!(Type1Info::parse(&reversed), Err(InfoError::Reversed { start: 2, last: 1 })));
    assert!(matches!(Type1Info::parse(&answer(2, &[])), Err(InfoError::NoPageSize)));
    assert!(matches!(Type1Info::parse(&[0; 7]), Err(InfoError::Short { .. })));
}

proptest! {
    #[test]
    fn no_answer_makes_the_reader_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), first in 0u32..220) {
        if bytes.len() >= 20 {
            bytes[4] |= 3;
            bytes[16..20].copy_from_slice(&first.to_ne_bytes());
        }
        if let Ok(info) = Type1Info::parse(&bytes) {
            prop_assert!(info.page_sizes.bits() != 0);
        }
    }
}
