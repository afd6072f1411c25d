use proptest::prelude::*;

use super::*;

const MIB: u64 = 1 << 20;

fn span(start: u64, end: u64) -> Span {
    Span::new(start, end - 1).unwrap()
}

#[test]
fn ram_is_split_around_the_hole_below_4_gib() {
    let cases = [
        // size, RAM, high window
        (256 * MIB, vec![span(0, 256 * MIB)], (4 * GIB, 68 * GIB)),
        (2 * GIB, vec![span(0, 2 * GIB)], (4 * GIB, 68 * GIB)),
        (3 * GIB, vec![span(0, 2 * GIB), span(4 * GIB, 5 * GIB)], (5 * GIB, 69 * GIB)),
        (3 * GIB + MIB, vec![span(0, 2 * GIB), span(4 * GIB, 5 * GIB + MIB)], (6 * GIB, 70 * GIB)),
        (64 * GIB, vec![span(0, 2 * GIB), span(4 * GIB, 66 * GIB)], (66 * GIB, 130 * GIB)),
    ];
    for (size, ram, (start, end)) in cases {
        let layout = Layout::new(size, 40, &BarRoom::default()).unwrap();
        assert_eq!(layout.ram(), ram, "{size:#x} bytes");
        assert_eq!(layout.pci().mmio64, Some(span(start, end)), "{size:#x} bytes");
    }
}

#[test]
fn sizes_that_cannot_be_are_refused() {
    let cases = [
        (64 * GIB, 36, LayoutError::RamTooBig { ram: 64 * GIB, bits: 36, most: 62 * GIB }),
        (
            u64::MAX - (MIB - 1),
            52,
            LayoutError::RamTooBig { ram: u64::MAX - (MIB - 1), bits: 52, most: (1 << 52) - 2 * GIB },
        ),
        (MIB + 1, 40, LayoutError::RamUnit { ram: MIB + 1 }),
        (0, 40, LayoutError::RamTooSmall { ram: 0 }),
        (GIB, 31, LayoutError::AddressBits(31)),
        (GIB, 64, LayoutError::AddressBits(64)),
    ];
    for (ram, bits, want) in cases {
        assert_eq!(Layout::new(ram, bits, &BarRoom::default()).unwrap_err(), want);
    }
}

#[test]
fn ram_up_to_the_last_address_leaves_no_high_window() {
    let layout = Layout::new(62 * GIB, 36, &BarRoom::default()).unwrap();
    assert_eq!(layout.ram().last().unwrap().last(), (1 << 36) - 1);
    assert_eq!(layout.pci().mmio64, None);
}

#[test]
fn only_ram_and_windows_are_reachable_by_dma() {
    let names: Vec<_> = Layout::new(3 * GIB, 40, &BarRoom::default())
        .unwrap()
        .dma_spans()
        .iter()
        .map(|(name, _)| *name)
        .collect();
    assert_eq!(names, ["RAM", "BAR window below 4 GiB", "RAM", "BAR window above 4 GiB"]);
}

proptest! {
    #[test]
    fn no_two_parts_overlap_and_all_lie_in_the_address_space(mib in 32u64..4 << 20, bits in 36u32..=52) {
        let size = mib * MIB;
        if let Ok(layout) = Layout::new(size, bits, &BarRoom::default()) {
            let spans = layout.spans();
            for (i, (_, one)) in spans.iter().enumerate() {
                prop_assert!(one.last() < 1 << bits);
                for (_, other) in &spans[i + 1..] {
                    prop_assert!(!one.overlaps(other));
                }
            }
            let ram: u64 = layout.ram().iter().map(|span| span.len().unwrap()).sum();
            prop_assert_eq!(ram, size);
        } else {
            prop_assert!(size > (1 << bits) - 2 * GIB);
        }
    }
}
