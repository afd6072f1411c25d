//! Where an aarch64 guest's MSI frame goes, row by row, and what its endpoints then show.

use super::*;
use arch::aarch64::MsiFrame;

use crate::host::HostGic;

struct Row {
    name: &'static str,
    irqchip: IrqchipArg,
    gic: Option<HostGic>,
    msi: MsiMode,
    windows: &'static [(u64, u64)],
    fixed: &'static [(u64, u64)],
    frame: MsiFrame,
    shown: Option<(u64, u64)>,
    reserved: &'static [(u64, u64)],
}

const USUAL: Row = Row {
    name: "host's window where Linux puts it",
    irqchip: IrqchipArg::Auto,
    gic: Some(HostGic::V3),
    msi: MsiMode::Bypass,
    windows: &[ARM_MSI],
    fixed: &[],
    frame: MsiFrame::ITS_DEFAULT,
    shown: Some(ARM_MSI),
    reserved: &[],
};

const ELSEWHERE: (u64, u64) = (0xa00_0000, 0xa0f_ffff);

const ROWS: &[Row] = &[
    USUAL,
    Row { name: "v2m on request", irqchip: IrqchipArg::V2m, frame: MsiFrame::V2M_DEFAULT, ..USUAL },
    Row { name: "v2m as the host has", gic: Some(HostGic::V2), frame: MsiFrame::V2M_DEFAULT, ..USUAL },
    Row { name: "ITS on request", irqchip: IrqchipArg::Its, ..USUAL },
    Row { name: "controller unknown", gic: None, ..USUAL },
    Row {
        name: "moved into the window",
        windows: &[ELSEWHERE],
        frame: MsiFrame::Its { base: 0xa08_0000 },
        shown: Some(ELSEWHERE),
        ..USUAL
    },
    Row {
        name: "moved to the start of a small window",
        windows: &[(0xa00_0000, 0xa01_ffff)],
        frame: MsiFrame::Its { base: 0xa00_0000 },
        shown: Some((0xa00_0000, 0xa01_ffff)),
        ..USUAL
    },
    Row {
        name: "moved within a window that is partly taken",
        windows: &[ELSEWHERE],
        fixed: &[(0xa08_0000, 0xa08_0fff)],
        frame: MsiFrame::Its { base: 0xa00_0000 },
        shown: Some(ELSEWHERE),
        ..USUAL
    },
    Row {
        name: "window too small: both are shown",
        windows: &[(0xa00_0000, 0xa00_ffff)],
        shown: Some((0x809_0000, 0x809_ffff)),
        reserved: &[(0xa00_0000, 0xa00_ffff)],
        ..USUAL
    },
    Row {
        name: "window out of the guest's reach: both are shown",
        windows: &[(0x10_0000_0000, 0x10_000f_ffff)],
        shown: Some((0x809_0000, 0x809_ffff)),
        reserved: &[(0x10_0000_0000, 0x10_000f_ffff)],
        ..USUAL
    },
    Row {
        name: "two windows",
        windows: &[ARM_MSI, ELSEWHERE],
        // Two in one group means a fixed doorbell of the host: nothing but the guest's own doorbell is shown as MSI.
        shown: Some((0x809_0000, 0x809_ffff)),
        reserved: &[(0x800_0000, 0x808_ffff), (0x80a_0000, 0x80f_ffff), ELSEWHERE],
        ..USUAL
    },
    Row {
        name: "window over a part of the doorbell",
        windows: &[(0x809_0000, 0x809_0fff)],
        shown: Some((0x809_0000, 0x809_ffff)),
        ..USUAL
    },
    Row { name: "no window", windows: &[], shown: Some((0x809_0000, 0x809_ffff)), ..USUAL },
    Row {
        name: "no window, v2m",
        irqchip: IrqchipArg::V2m,
        windows: &[],
        frame: MsiFrame::V2M_DEFAULT,
        shown: Some((0x802_0000, 0x802_0fff)),
        ..USUAL
    },
    Row { name: "translated", msi: MsiMode::Translate, shown: None, reserved: &[ARM_MSI], ..USUAL },
];

#[test]
fn frame_and_regions_follow_the_host() {
    for row in ROWS {
        let mut host = FakeHost::new(Arch::Aarch64);
        host.machine.gic = row.gic;
        let group = host.group_mut(3);
        group.reserved =
            row.windows.iter().map(|(start, last)| region(*start, *last, HostRegionKind::Msi)).collect();
        group.trial = Trial::Attached(aperture(48, &[]));
        let mut wish = assignment(Arch::Aarch64, &[device(1)]);
        wish.irqchip = row.irqchip;
        wish.viommu = Some(ViommuConfig { msi: row.msi, bypass_at_boot: false, poll: PollMode::Auto });
        let fixed = row.fixed.iter().map(|(start, last)| span(*start, *last)).collect();
        let map = GuestMap { fixed, ..GuestMap::default() };
        let plan =
            planned(&host, &wish, &map).unwrap_or_else(|refusals| panic!("{}: {refusals:#?}", row.name));
        let gic = plan.gic.unwrap();
        let v2 = matches!(gic, Gic::V2 { .. });
        assert_eq!((gic.msi(), v2), (row.frame, row.gic == Some(HostGic::V2)), "{}", row.name);
        let viommu = plan.viommu.unwrap();
        let of = |kind| -> Vec<(u64, u64)> {
            let regions = viommu.reserved.iter().filter(|region| region.kind == kind);
            regions.map(|region| (region.span.start(), region.span.last())).collect()
        };
        assert_eq!(of(RegionKind::Msi), Vec::from_iter(row.shown), "{}", row.name);
        assert_eq!(of(RegionKind::Reserved), row.reserved, "{}", row.name);
        let open = if row.msi == MsiMode::Translate { row.windows.len() } else { 0 };
        assert_eq!(viommu.msi_windows.len(), open, "{}", row.name);
        if let Some((start, last)) = row.shown {
            assert!(
                span(start, last).covers(&gic.msi().doorbell_page().unwrap()),
                "{}: the doorbell lies outside",
                row.name
            );
        }
    }
}

#[test]
fn several_msi_regions_in_a_group_are_worth_a_warning() {
    let mut host = FakeHost::new(Arch::Aarch64);
    host.group_mut(3).reserved.push(region(ELSEWHERE.0, ELSEWHERE.1, HostRegionKind::Msi));
    let plan = good(&host, &assignment(Arch::Aarch64, &[device(1)]));
    assert!(plan.warnings[0].contains("several MSI regions"), "{:?}", plan.warnings);
}

#[test]
fn x86_has_no_frame_to_place() {
    assert_eq!(good(&FakeHost::new(Arch::X86_64), &assignment(Arch::X86_64, &[device(1)])).gic, None);
}

#[test]
fn large_pages_keep_a_guard_band_behind_the_window() {
    let mut host = FakeHost::new(Arch::Aarch64);
    host.machine.page_size = 0x1_0000;
    let Trial::Attached(aperture) = &mut host.group_mut(3).trial else { panic!() };
    aperture.page_sizes = PageMask::new(0x2001_0000).unwrap();
    let plan = good(&host, &assignment(Arch::Aarch64, &[device(1)]));
    let viommu = plan.viommu.unwrap();
    let expected = [
        Region { span: span(ARM_MSI.0, ARM_MSI.1), kind: RegionKind::Msi },
        Region { span: span(0x810_0000, 0x83f_ffff), kind: RegionKind::Reserved },
    ];
    assert_eq!((viommu.reserved, viommu.page_mask.bits()), (expected.to_vec(), 0x1_0000));
    assert!(plan.warnings[0].contains("pages of 64 KiB"), "{:?}", plan.warnings);
}

#[test]
fn its_on_a_host_without_one_is_refused() {
    let mut host = FakeHost::new(Arch::Aarch64);
    host.machine.gic = Some(HostGic::V2);
    let mut wish = assignment(Arch::Aarch64, &[device(1)]);
    wish.irqchip = IrqchipArg::Its;
    let refusals = planned(&host, &wish, &GuestMap::default()).unwrap_err();
    assert!(
        refusals[0].to_string().contains("--irqchip cannot be its: the host has a GICv2"),
        "{}",
        refusals[0]
    );
}

/// Host page, frame, the host's window, then what is shown as MSI and what is reserved.
type PageRow = (u64, IrqchipArg, Option<(u64, u64)>, (u64, u64), &'static [(u64, u64)]);

#[test]
fn what_is_shown_fits_every_page_size_of_the_host() {
    use IrqchipArg::{Its, V2m};
    const HIGH: (u64, u64) = (0x10_0000_0000, 0x10_000f_ffff);
    const BAND: (u64, u64) = (0x10_0000_0000, 0x10_003f_ffff);
    let (its_page, v2m_page) = ((0x809_0000, 0x809_ffff), (0x802_0000, 0x802_0fff));
    let rows: [PageRow; 15] = [
        (0x1000, Its, Some(ARM_MSI), ARM_MSI, &[]),
        (0x4000, Its, Some(ARM_MSI), ARM_MSI, &[]),
        (0x1_0000, Its, Some(ARM_MSI), ARM_MSI, &[(0x810_0000, 0x83f_ffff)]),
        (0x1000, V2m, Some(ARM_MSI), ARM_MSI, &[]),
        (0x4000, V2m, Some(ARM_MSI), ARM_MSI, &[]),
        (0x1_0000, V2m, Some(ARM_MSI), ARM_MSI, &[(0x810_0000, 0x83f_ffff)]),
        (0x1000, Its, None, its_page, &[]),
        (0x4000, Its, None, its_page, &[]),
        (0x1_0000, Its, None, its_page, &[]),
        (0x1000, V2m, None, v2m_page, &[]),
        (0x4000, V2m, None, (0x802_0000, 0x802_3fff), &[]),
        (0x1_0000, V2m, None, (0x802_0000, 0x802_ffff), &[]),
        (0x1000, V2m, Some(HIGH), v2m_page, &[HIGH]),
        (0x4000, V2m, Some(HIGH), (0x802_0000, 0x802_3fff), &[HIGH]),
        (0x1_0000, V2m, Some(HIGH), (0x802_0000, 0x802_ffff), &[BAND]),
    ];
    for (page, irqchip, window, shown, reserved) in rows {
        let mut host = FakeHost::new(Arch::Aarch64);
        host.machine.page_size = page;
        let group = host.group_mut(3);
        group.reserved =
            window.iter().map(|(start, last)| region(*start, *last, HostRegionKind::Msi)).collect();
        let mut can = aperture(48, &[]);
        can.page_sizes = PageMask::new(!(page - 1)).unwrap();
        group.trial = Trial::Attached(can);
        let wish = Assignment { irqchip, ..assignment(Arch::Aarch64, &[device(1)]) };
        let plan = good(&host, &wish);
        let viommu = plan.viommu.unwrap();
        let name = format!("{page:#x} {irqchip:?} {window:x?}");
        let of = |kind| -> Vec<(u64, u64)> {
            let regions = viommu.reserved.iter().filter(|region| region.kind == kind);
            regions.map(|region| (region.span.start(), region.span.last())).collect()
        };
        assert_eq!(
            (of(RegionKind::Msi), of(RegionKind::Reserved)),
            (vec![shown], reserved.to_vec()),
            "{name}"
        );
        assert_eq!(viommu.page_mask.bits(), page, "{name}");
        assert!(viommu.reserved.iter().all(|region| region.span.is_aligned(page)), "{name}");
        let warned = plan.warnings.iter().any(|warning| warning.contains("smaller pages will not use"));
        assert_eq!(warned, page > 0x1000, "{name}: a guest with pages of 4 KiB must be warned of");
    }
}
