use virtio_iommu_spec::{Features, Request, ResvKind, ResvMem, Status};

use super::super::rig::*;
use crate::virtio::iommu::core::Core;
use crate::virtio::iommu::{Viommu, ViommuConfig, ViommuEndpoint};

/// A rig whose endpoint 8 has `count` regions besides the common two.
fn with_regions(count: u64) -> Rig {
    let region = |n: u64| ResvMem {
        kind: ResvKind::Reserved,
        span: span((1 << 32) + n * 0x2000, (1 << 32) + n * 0x2000 + 0xfff),
    };
    Plan { endpoints: vec![(8, Some(0), (0..count).map(region).collect())], ..Plan::default() }.build()
}

fn word(list: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([list[at], list[at + 1]])
}

#[test]
fn p1_reserved_bytes_are_ignored() {
    let mut rig = rig();
    let mut request = bytes(&Request::Probe { endpoint: 8 });
    request[8..].fill(0xff);
    let reply = rig.raw(&request, PROBE_ROOM + 4);
    assert_eq!((reply.len, reply.bytes[PROBE_ROOM as usize]), (PROBE_ROOM + 4, 0));
}

#[test]
fn p2_an_endpoint_that_does_not_exist_is_refused_in_full_length() {
    let mut rig = rig();
    let reply = rig.raw(&bytes(&Request::Probe { endpoint: 444 }), PROBE_ROOM + 4);
    assert_eq!(reply.len, PROBE_ROOM + 4);
    let (list, tail) = reply.bytes.split_at(PROBE_ROOM as usize);
    assert!(list.iter().all(|byte| *byte == 0));
    assert_eq!(tail, [Status::NoEnt as u8, 0, 0, 0]);
}

#[test]
fn p3_without_the_feature_the_request_comes_back_unwritten() {
    let mut rig = rig_with(ALL_FEATURES & !Features::PROBE);
    let reply = rig.raw(&bytes(&Request::Probe { endpoint: 8 }), PROBE_ROOM + 4);
    assert_eq!(reply.len, 0);
    assert!(reply.bytes.iter().all(|byte| *byte == 0xa5));
}

#[test]
fn p4_the_reserved_bits_of_a_property_are_zero() {
    let list = rig().probe(8);
    assert_eq!([word(&list, 0) & 0xf000, word(&list, 24) & 0xf000], [0, 0]);
    assert_eq!([word(&list, 0), word(&list, 24)], [1, 1], "RESV_MEM");
}

#[test]
fn p5_the_length_leaves_the_header_out() {
    let list = rig().probe(8);
    assert_eq!([word(&list, 2), word(&list, 26)], [20, 20]);
}

#[test]
fn p6_the_next_property_follows_at_once() {
    let list = with_regions(10).probe(8);
    let (mut at, mut count) = (0, 0);
    while word(&list, at) != 0 {
        at += 4 + usize::from(word(&list, at + 2));
        count += 1;
    }
    assert_eq!(count, 12);
}

#[test]
fn p7_a_list_that_would_not_fit_is_not_written() {
    let regions = common_regions();
    assert!(Core::encode(&regions, 47).is_err(), "the answer is then INVAL");
    assert!(Core::encode(&regions, 48).is_ok());
    let mut rig = with_regions(40);
    let room = u32::from_le_bytes(rig.config(0x20)) as usize;
    assert!(room >= 42 * 24, "so the room is made large enough in advance");
    assert_eq!(rig.probe(8).chunks_exact(24).filter(|property| property[0] == 1).count(), 42);
}

#[test]
fn p8_the_rest_of_the_buffer_is_zero() {
    let list = rig().probe(8);
    assert!(list[48..].iter().all(|byte| *byte == 0));
    let nothing = Plan { common_regions: false, ..Plan::default() }.build().probe(8);
    assert!(nothing.iter().all(|byte| *byte == 0));
}

#[test]
fn v1_the_reserved_bytes_of_a_region_are_zero() {
    let list = rig().probe(8);
    assert_eq!([&list[5..8], &list[29..32]], [[0; 3], [0; 3]]);
}

/// A device with one endpoint that has these regions.
fn device(regions: Vec<ResvMem>) -> bool {
    let input = span(0, u64::MAX);
    let endpoints = vec![ViommuEndpoint { id: 8, regions }];
    let config = ViommuConfig { pages: data_model::PageMask::new(PAGE).unwrap(), endpoints };
    let iommu = iommu_domain::Iommu::new(
        iommu_domain::IommuConfig::new(PAGE, input, false),
        Default::default(),
        vec![],
        vec![],
    );
    Viommu::new(&config, iommu).is_ok()
}

#[test]
fn v2_an_endpoint_has_one_msi_region_at_most() {
    let list = rig().probe(8);
    assert_eq!(list.chunks_exact(24).filter(|property| property[0] == 1 && property[4] == 1).count(), 1);
    let msi = |start| ResvMem { kind: ResvKind::Msi, span: span(start, start + 0xfff) };
    assert!(device(vec![msi(0)]));
    assert!(!device(vec![msi(0), msi(0x2000)]), "a device with two cannot be made");
}

#[test]
fn v3_regions_do_not_overlap() {
    let region = |start, last| ResvMem { kind: ResvKind::Reserved, span: span(start, last) };
    assert!(device(vec![region(0, 0xfff), region(0x1000, 0x1fff)]));
    assert!(!device(vec![region(0x1000, 0x2fff), region(0, 0x1000)]));
    assert!(!device(vec![region(0, u64::MAX), region(5, 5)]));
    let list = with_regions(20).probe(8);
    let mut ends: Vec<(u64, u64)> = list
        .chunks_exact(24)
        .filter(|property| property[0] == 1)
        .map(|p| {
            (
                u64::from_le_bytes(p[8..16].try_into().unwrap()),
                u64::from_le_bytes(p[16..24].try_into().unwrap()),
            )
        })
        .collect();
    ends.sort_unstable();
    assert_eq!(ends.len(), 22);
    assert!(ends.windows(2).all(|pair| pair[0].1 < pair[1].0));
}

#[test]
fn v4_what_probe_tells_cannot_be_mapped() {
    let mut rig = with_regions(3);
    rig.attach(8, 1);
    let list = rig.probe(8);
    for property in list.chunks_exact(24).filter(|property| property[0] == 1) {
        let start = u64::from_le_bytes(property[8..16].try_into().unwrap());
        let last = u64::from_le_bytes(property[16..24].try_into().unwrap());
        assert_eq!(rig.map(1, start, start + 0xfff, 0, 1), Status::Inval, "{start:#x}");
        assert_eq!(rig.map(1, last - 0xfff, last, 0, 1), Status::Inval, "{last:#x}");
    }
    assert!(rig.held(0).is_empty());
}

#[test]
fn v5_an_access_to_a_reserved_region_affects_nobody_else() {
    let inside_ram = ResvMem { kind: ResvKind::Reserved, span: span(16 * PAGE, 20 * PAGE - 1) };
    let endpoints = vec![(8, Some(0), vec![inside_ram]), (16, Some(1), vec![])];
    let mut rig = Plan { endpoints, ..Plan::default() }.build();
    rig.set_bypass(1);
    let holed = [(0, 16 * PAGE - 1, 0, "rw".to_string()), (20 * PAGE, RAM - 1, 20 * PAGE, "rw".to_string())];
    assert_eq!(rig.held(0), holed, "bypass leaves the region out");
    assert_eq!(rig.held(1).len(), 1, "for this endpoint alone");
    rig.attach_bypass(8, 1);
    assert_eq!(rig.held(0), holed, "a bypass domain too");
    assert_eq!(rig.message(8, 0xfee0_1000), Some(0xfee0_1000), "a write to the MSI region is a message");
}
