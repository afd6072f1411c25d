use data_model::Span;
use devices::virtio::iommu::RequestCounters;
use iommu_domain::{IommuReport, Mapping};
use virtio_iommu_spec::{RequestKind, Status};

use super::*;

const PAGE: u64 = 0x1000;

fn mapping(page: u64, perm: Perm) -> Slot {
    let mapping = Mapping { iova: Span::from_len(page * PAGE, PAGE).unwrap(), phys: page * PAGE, perm };
    Slot { mapping, software: perm == Perm::NONE, lost: false }
}

fn shape(page: u64, kind: Kind) -> Run {
    Run { span: Span::from_len(page * PAGE, PAGE).unwrap(), kind, mappings: 1, bytes: PAGE.into() }
}

fn device() -> Device {
    let domain = |id| iommu_domain::DomainReport {
        id,
        bypass: false,
        endpoints: vec![256],
        mappings: 2,
        software: 1,
        bytes: u128::from(2 * PAGE),
        slots: vec![mapping(1, Perm::READ), mapping(2, Perm::NONE)],
        runs: [Kind::Memory(Perm::WRITE), Kind::Memory(Perm::NONE), Kind::Doorbell, Kind::Mixed]
            .into_iter()
            .zip(1..)
            .map(|(kind, page)| shape(page, kind))
            .collect(),
    };
    let leg = |name: &str| iommu_domain::LegReport {
        name: name.into(),
        mappings: 1,
        host_mappings: Some(1),
        pinned: PAGE.into(),
        host_time: Duration::from_micros(3),
        endpoints: vec![256],
        quarantined: false,
        between: name.ends_with('4'),
    };
    let mut counters = RequestCounters::default();
    counters.kinds[RequestKind::Map as usize - 1].by_status[Status::Ok as usize] = 5;
    counters.kinds[RequestKind::Map as usize - 1].by_status[Status::NoMem as usize] = 2;
    (counters.events, counters.events_dropped, counters.unanswered) = (3, 4, 1);
    let endpoint =
        |id, leg: &str| iommu_domain::EndpointReport { id, domain: Some(1), leg: Some(leg.into()) };
    Device {
        features: Features::PROBE | 1 << 32 | 1 << 63,
        page_size_mask: PAGE,
        input: Span::ALL,
        regions: Vec::new(),
        iommu: IommuReport {
            bypass: false,
            endpoints: vec![endpoint(256, "type1 group 3"), endpoint(512, "type1 group 4")],
            domains: vec![domain(1), domain(2)],
            legs: vec![leg("type1 group 3"), leg("type1 group 4")],
            host_calls: 9,
        },
        counters,
        host_failures: 2,
    }
}

fn told(slots: usize) -> ViommuReport {
    let guest: Bdf = "01:00.0".parse().unwrap();
    let place = Place { guest, host: "0000:03:00.0".parse().unwrap(), group: Some(3) };
    viommu(&device(), &[place], slots)
}

#[test]
fn counters_and_features_are_told_by_name() {
    let report = told(0);
    assert_eq!(report.feature_names, ["PROBE", "VERSION_1", "bit 63"]);
    let map = report.requests.iter().find(|count| count.kind == "map").unwrap();
    assert_eq!((map.ok, map.failed), (5, 2));
    assert_eq!(map.by_status, [("OK".to_owned(), 5), ("NOMEM".to_owned(), 2)].into());
    assert_eq!((report.faults, report.faults_dropped, report.unanswered), (7, 4, 1));
    assert_eq!((report.host_calls, report.host_failures), (9, 2));
    assert_eq!((report.host_time_ns, report.pinned), (6000, 2 * PAGE), "both legs together");
    assert_eq!(report.legs.iter().map(|leg| leg.between).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn endpoints_are_those_whose_place_is_known_with_their_group() {
    let report = told(0);
    assert_eq!(report.endpoints.len(), 1);
    assert_eq!((report.endpoints[0].group, report.endpoints[0].host.as_str()), (Some(3), "0000:03:00.0"));
}

#[test]
fn mappings_are_listed_as_far_as_they_may_be_over_all_domains() {
    for (slots, expected) in [(0, [0, 0]), (3, [2, 1]), (100, [2, 2])] {
        let listed: Vec<_> = told(slots).domains.iter().map(|domain| domain.slots.len()).collect();
        assert_eq!(listed, expected, "{slots}");
    }
    let slots = &told(2).domains[0].slots;
    assert_eq!((slots[0].perm.as_str(), slots[0].software), ("r", false));
    assert_eq!((slots[1].perm.as_str(), slots[1].software), ("none", true));
}

#[test]
fn runs_keep_their_kind() {
    let kinds: Vec<_> = told(0).domains[0].runs.iter().map(|run| run.kind).collect();
    assert_eq!(kinds, [RunKind::W, RunKind::None, RunKind::Doorbell, RunKind::Mixed]);
}
