use super::super::tests::{region, report, run, span, usual};
use super::*;

fn told(report: &ViommuReport) -> Vec<(Span, What)> {
    bands(report, &report.domains[0]).into_iter().map(|band| (band.span, band.what)).collect()
}

#[test]
fn every_address_of_the_input_range_is_in_one_band() {
    let whole = |runs| report(runs);
    for (case, report) in [
        ("usual", usual()),
        ("nothing mapped", whole(Vec::new())),
        (
            "all mapped",
            whole(vec![run(0, 0xfedf_ffff, RunKind::Rw, 1), run(0xfef0_0000, 0xffff_ffff, RunKind::R, 1)]),
        ),
        ("doorbell in the window", whole(vec![run(0xfee0_0000, 0xfee0_0fff, RunKind::Doorbell, 1)])),
    ] {
        let bands = told(&report);
        let ends = (bands[0].0.start(), bands.last().unwrap().0.last());
        assert_eq!(ends, (report.input_range.start(), report.input_range.last()), "{case}");
        for pair in bands.windows(2) {
            assert_eq!(pair[0].0.next(), Some(pair[1].0.start()), "{case}: {bands:x?}");
        }
    }
}

#[test]
fn slots_window_and_holes_lie_where_they_are() {
    use What::*;
    let expected = [
        (span(0, 0xfedf_ffff), Hole),
        (span(0xfee0_0000, 0xfeef_ffff), Msi),
        (span(0xfef0_0000, 0xffff_7fff), Hole),
        (span(0xffff_8000, 0xffff_bfff), Slots(RunKind::R)),
        (span(0xffff_c000, 0xffff_cfff), Slots(RunKind::W)),
        (span(0xffff_d000, 0xffff_dfff), Hole),
        (span(0xffff_e000, 0xffff_ffff), Slots(RunKind::Rw)),
    ];
    assert_eq!(told(&usual()), expected);
}

#[test]
fn window_gives_way_to_a_doorbell_mapped_in_it_and_regions_are_drawn_once() {
    use What::*;
    let mut report = report(vec![run(0x900_0000, 0x900_0fff, RunKind::Doorbell, 1)]);
    report.input_range = span(0, 0xfff_ffff);
    let regions = vec![
        region(0x800_0000, 0x9ff_ffff, RegionKind::Msi),
        region(0x9f0_0000, 0xaff_ffff, RegionKind::Reserved),
        region(0x2000_0000, 0x2fff_ffff, RegionKind::Reserved),
    ];
    report.endpoints[1].domain = Some(1);
    report.endpoints.iter_mut().for_each(|endpoint| endpoint.reserved = regions.clone());
    let expected = [
        (span(0, 0x7ff_ffff), Hole),
        (span(0x800_0000, 0x8ff_ffff), Msi),
        (span(0x900_0000, 0x900_0fff), Slots(RunKind::Doorbell)),
        (span(0x900_1000, 0x9ff_ffff), Msi),
        (span(0xa00_0000, 0xaff_ffff), Reserved),
        (span(0xb00_0000, 0xfff_ffff), Hole),
    ];
    assert_eq!(told(&report), expected);
}

#[test]
fn slots_are_told_with_their_number_their_access_and_holes_that_were_left_out() {
    let mut report = usual();
    report.domains[0].runs[1].kind = RunKind::Mixed;
    report.domains[0].runs[1].bytes = 0x800;
    let words: Vec<String> = bands(&report, &report.domains[0]).into_iter().map(|band| band.words).collect();
    assert_eq!(words[3], "2 slots, read");
    assert_eq!(words[4], "1 slot, of several kinds, 2 KiB with holes between");
    report.domains[0].bypass = true;
    assert_eq!(bands(&report, &report.domains[0])[3].words, "guest RAM");
}
