use super::*;
use crate::cmdline::IrqchipArg;

fn wish(arch: Arch, memory: u64) -> Assignment {
    let (vfio, emulated) = (Vec::new(), Vec::new());
    Assignment { arch, memory, viommu: None, vfio, emulated, irqchip: IrqchipArg::Auto, jailed: true }
}

#[test]
fn parts_of_the_layout_are_told_apart() {
    for arch in [Arch::X86_64, Arch::Aarch64] {
        let map = GuestMap::new(&wish(arch, 4 << 30), 2, 40, &BarRoom::default()).unwrap();
        let ram: u128 = map.ram.iter().map(Span::len_wide).sum();
        assert_eq!((ram, map.bars.len()), (4 << 30, 2), "{arch:?}");
        assert!(!map.fixed.is_empty());
        let spans: Vec<Span> = map.all().map(|(_, span)| span).collect();
        for (index, span) in spans.iter().enumerate() {
            assert!(spans[index + 1..].iter().all(|other| !other.overlaps(span)), "{arch:?} {span}");
        }
    }
}

#[test]
fn msi_frame_is_left_free() {
    let map = GuestMap::new(&wish(Arch::Aarch64, 1 << 30), 2, 40, &BarRoom::default()).unwrap();
    let frame = arch::aarch64::MsiFrame::ITS_DEFAULT.span().unwrap();
    assert!(map.all().all(|(_, span)| !span.overlaps(&frame)), "{map:?}");
}

#[test]
fn memory_that_does_not_fit_is_refused() {
    assert!(GuestMap::new(&wish(Arch::X86_64, 1 << 44), 2, 40, &BarRoom::default()).is_err());
}
