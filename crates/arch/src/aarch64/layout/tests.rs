use proptest::prelude::*;

use super::super::MsiFrame;
use super::*;
use crate::span_map::GIB;

const MIB: u64 = 1 << 20;

fn span(start: u64, end: u64) -> Span {
    Span::new(start, end - 1).unwrap()
}

#[test]
fn ram_is_one_range_and_the_high_window_follows() {
    let cases = [
        // size, end of RAM, high window
        (256 * MIB, 2 * GIB + 256 * MIB, (4 * GIB, 68 * GIB)),
        (2 * GIB, 4 * GIB, (4 * GIB, 68 * GIB)),
        (3 * GIB, 5 * GIB, (5 * GIB, 69 * GIB)),
        (3 * GIB + MIB, 5 * GIB + MIB, (6 * GIB, 70 * GIB)),
        (64 * GIB, 66 * GIB, (66 * GIB, 130 * GIB)),
    ];
    for (size, end, (window, window_end)) in cases {
        let layout = Layout::new(size, 4, 40, Gic::V3_ITS, &BarRoom::default()).unwrap();
        assert_eq!(layout.ram(), [span(2 * GIB, end)], "{size:#x} bytes");
        assert_eq!(layout.pci().mmio64, Some(span(window, window_end)), "{size:#x} bytes");
    }
}

#[test]
fn redistributors_end_at_the_distributor_and_stay_off_configuration_space() {
    for cpus in [1, 8, MOST_CPUS] {
        let layout = Layout::new(GIB, cpus, 40, Gic::V3_ITS, &BarRoom::default()).unwrap();
        let redistributors = layout.gic_per_cpu();
        assert_eq!(redistributors.len(), Some(u64::from(cpus) * 0x2_0000));
        assert_eq!(redistributors.next(), Some(layout.gic_distributor().start()));
        assert!(redistributors.start() > layout.pci().ecam.last());
    }
}

#[test]
fn the_default_frames_lie_in_the_window_that_linux_hosts_keep() {
    let window = Span::new(0x0800_0000, 0x080f_ffff).unwrap();
    let cases = [
        (MsiFrame::ITS_DEFAULT, (0x0809_0000, 0x0809_ffff), 0x0809_0040),
        (MsiFrame::V2M_DEFAULT, (0x0802_0000, 0x0802_0fff), 0x0802_0040),
    ];
    for (frame, (start, last), doorbell) in cases {
        assert!(window.covers(&frame.span().unwrap()));
        assert_eq!(frame.doorbell_page().unwrap(), Span::new(start, last).unwrap());
        assert_eq!(frame.doorbell().unwrap(), doorbell);
    }
}

#[test]
fn a_moved_frame_shows_in_the_map() {
    let gic = Gic::V3 { msi: MsiFrame::Its { base: 0x4000_0000 } };
    let layout = Layout::new(GIB, 2, 40, gic, &BarRoom::default()).unwrap();
    let its = span(0x4000_0000, 0x4002_0000);
    assert_eq!(layout.msi_frame(), its);
    assert!(layout.spans().contains(&("interrupt translation service", its)));
}

#[test]
fn impossible_machines_are_refused() {
    let v3 = Gic::V3_ITS;
    let v2 = Gic::V2 { msi: MsiFrame::V2M_DEFAULT };
    let v3_at = |base| Gic::V3 { msi: MsiFrame::Its { base } };
    let cases = [
        (GIB, 0, 40, v3, LayoutError::Cpus { cpus: 0, most: MOST_CPUS }),
        (GIB, MOST_CPUS + 1, 40, v3, LayoutError::Cpus { cpus: MOST_CPUS + 1, most: MOST_CPUS }),
        (GIB, 9, 40, v2, LayoutError::Cpus { cpus: 9, most: 8 }),
        (GIB, 1, 40, Gic::V2 { msi: MsiFrame::ITS_DEFAULT }, LayoutError::ItsNeedsGicV3),
        (GIB, 1, 40, v3_at(0x0808_1000), LayoutError::MsiFramePlace { base: 0x0808_1000, align: 0x1_0000 }),
        (64 * GIB, 1, 36, v3, LayoutError::RamTooBig { ram: 64 * GIB, bits: 36, most: 62 * GIB }),
        (GIB, 1, 53, v3, LayoutError::AddressBits(53)),
    ];
    for (ram, cpus, bits, gic, want) in cases {
        assert_eq!(Layout::new(ram, cpus, bits, gic, &BarRoom::default()).unwrap_err(), want);
    }
}

#[test]
fn a_frame_over_something_else_is_refused_by_name() {
    let gic = Gic::V3 { msi: MsiFrame::Its { base: 0x8000_0000 } };
    let error = Layout::new(GIB, 1, 40, gic, &BarRoom::default()).unwrap_err().to_string();
    assert!(error.contains("RAM") && error.contains("interrupt translation service"), "{error}");
}

#[test]
fn a_frame_past_the_last_address_is_refused() {
    for base in [1 << 40, u64::MAX - 0xffff] {
        let gic = Gic::V3 { msi: MsiFrame::Its { base } };
        let error = Layout::new(GIB, 1, 40, gic, &BarRoom::default()).unwrap_err();
        assert!(matches!(error, LayoutError::MsiFramePlace { .. }), "{error}");
    }
}

proptest! {
    #[test]
    fn no_two_parts_overlap_and_all_lie_in_the_address_space(
        mib in 32u64..4 << 20,
        cpus in 1..=MOST_CPUS,
        bits in 36u32..=52,
        its in 0u64..0x2_0000,
    ) {
        let gic = Gic::V3 { msi: MsiFrame::Its { base: its << 16 } };
        if let Ok(layout) = Layout::new(mib * MIB, cpus, bits, gic, &BarRoom::default()) {
            let spans = layout.spans();
            for (i, (_, one)) in spans.iter().enumerate() {
                prop_assert!(one.last() < 1 << bits);
                for (_, other) in &spans[i + 1..] {
                    prop_assert!(!one.overlaps(other));
                }
            }
            prop_assert_eq!(layout.ram_span().len(), Some(mib * MIB));
        }
    }
}
