use data_model::Span;
use vm_control::{DomainReport, EndpointReport, RegionKind, RegionReport, RunKind, RunReport, ViommuReport};

use super::*;

pub fn span(start: u64, last: u64) -> Span {
    Span::new(start, last).unwrap()
}

pub fn run(start: u64, last: u64, kind: RunKind, mappings: u64) -> RunReport {
    RunReport { span: span(start, last), kind, mappings, bytes: last - start + 1 }
}

fn endpoint(bdf: &str, domain: Option<u32>, reserved: Vec<RegionReport>) -> EndpointReport {
    let assigned = EndpointReport::new(bdf.parse().unwrap(), "0000:00:04.0", "type1 group 3");
    EndpointReport { domain, group: Some(3), reserved, ..assigned }
}

pub fn region(start: u64, last: u64, kind: RegionKind) -> RegionReport {
    RegionReport { span: span(start, last), kind }
}

/// One domain of 32 bits with the x86 window, these runs, and an endpoint in it; a second endpoint in none.
pub fn report(runs: Vec<RunReport>) -> ViommuReport {
    let msi = || vec![region(0xfee0_0000, 0xfeef_ffff, RegionKind::Msi)];
    let domain = DomainReport {
        id: 1,
        bypass: false,
        endpoints: vec![256],
        mappings: runs.iter().map(|run| run.mappings).sum(),
        software: 0,
        bytes: runs.iter().map(|run| run.bytes).sum(),
        slots: Vec::new(),
        runs,
    };
    ViommuReport {
        features: 0,
        feature_names: Vec::new(),
        input_range: span(0, 0xffff_ffff),
        page_size_mask: 4096,
        bypass: false,
        endpoints: vec![endpoint("01:00.0", Some(1), msi()), endpoint("02:00.0", None, msi())],
        domains: vec![domain],
        legs: Vec::new(),
        requests: Vec::new(),
        unanswered: 0,
        faults: 0,
        faults_dropped: 0,
        host_calls: 0,
        host_failures: 0,
        host_time_ns: 0,
        pinned: 0,
    }
}

/// A few slots below the end, as Linux places them.
pub fn usual() -> ViommuReport {
    report(vec![
        run(0xffff_8000, 0xffff_bfff, RunKind::R, 2),
        run(0xffff_c000, 0xffff_cfff, RunKind::W, 1),
        run(0xffff_e000, 0xffff_ffff, RunKind::Rw, 2),
    ])
}

#[test]
fn sizes_have_three_digits_and_are_never_rounded_up() {
    for (bytes, words) in [
        (1, "1 bytes"),
        (1024, "1 KiB"),
        (4096, "4 KiB"),
        (0xfee0_0000, "3.98 GiB"),
        (1536, "1.50 KiB"),
        ((1 << 20) - 1, "1023 KiB"),
        (13 << 20, "13 MiB"),
        (1 << 64, "16 EiB"),
    ] {
        assert_eq!(size(bytes), words, "{bytes}");
    }
}

#[test]
fn domain_is_introduced_by_its_members_and_what_they_map() {
    let mut report = usual();
    assert_eq!(about(&report, &report.domains[0]), "01:00.0 (0000:00:04.0 on the host): 5 mappings, 28 KiB");
    report.endpoints[0] =
        EndpointReport { group: None, host: "virtio-blk".into(), ..report.endpoints[0].clone() };
    assert!(about(&report, &report.domains[0]).starts_with("01:00.0 (virtio-blk): 5"));
    report.domains[0].bypass = true;
    assert!(about(&report, &report.domains[0]).ends_with("addresses pass through"));
}

#[test]
fn endpoint_whose_group_is_between_domains_is_told_to_reach_nothing() {
    let mut report = usual();
    let mut leg = LegReport { endpoints: vec![256], between: true, ..LegReport::default() };
    for (between, expected) in [(true, true), (false, false)] {
        leg.between = between;
        report.legs = vec![leg.clone()];
        let text = about(&report, &report.domains[0]);
        assert_eq!(text.contains("(0000:00:04.0 on the host, reaches nothing"), expected, "{text}");
    }
}

#[test]
fn endpoint_in_no_domain_is_told_with_its_reach() {
    let mut report = usual();
    assert_eq!(unattached(&report), ["02:00.0 is in no domain and reaches nothing"]);
    report.bypass = true;
    assert_eq!(unattached(&report), ["02:00.0 is in no domain and reaches all guest RAM"]);
}
