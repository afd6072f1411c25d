use virtio_iommu_spec::{Request, Status};

use super::super::rig::*;

#[test]
fn g1_what_was_done_is_answered_ok() {
    let mut rig = rig();
    assert_eq!(rig.attach(8, 1), Status::Ok);
    assert_eq!(rig.map_page(1, 3), Status::Ok);
    assert_eq!(rig.send(Request::Probe { endpoint: 8 }), Status::Ok);
    assert_eq!(rig.unmap(1, 3 * PAGE, 4 * PAGE - 1), Status::Ok);
    assert_eq!(rig.detach(8, 1), Status::Ok);
}

#[test]
fn g2_an_unknown_type_comes_back_unwritten() {
    let mut rig = rig();
    for kind in (0..=255).filter(|kind| !(1..=5).contains(kind)) {
        let mut request = [0; 72];
        request[0] = kind;
        let reply = rig.raw(&request, 8);
        assert_eq!((reply.len, reply.bytes), (0, vec![0xa5; 8]), "type {kind}");
    }
}

#[test]
fn g3_reserved_bytes_of_the_head_are_ignored_and_those_of_the_tail_zero() {
    let mut rig = rig();
    let requests = [
        Request::Attach { domain: 1, endpoint: 8, flags: 0, reserved: 0 },
        Request::Map { domain: 1, virt_start: 0, virt_end: 0xfff, phys_start: 0, flags: 3 },
        Request::Unmap { domain: 1, virt_start: 0, virt_end: 0xfff, reserved: 0 },
        Request::Probe { endpoint: 8 },
        Request::Detach { domain: 1, endpoint: 8 },
    ];
    for request in requests {
        let mut raw = bytes(&request);
        raw[1..4].copy_from_slice(&[0xff, 0x5a, 1]);
        let room = if matches!(request, Request::Probe { .. }) { PROBE_ROOM } else { 0 };
        let reply = rig.raw(&raw, room + 4);
        assert_eq!(reply.len, room + 4, "{request:?}");
        assert_eq!(reply.bytes[room as usize..], [0; 4], "{request:?}");
    }
}

#[test]
fn g4_an_endpoint_in_no_domain_reaches_nothing() {
    let mut rig = rig();
    assert!(rig.held(0).is_empty() && rig.held(1).is_empty());
    rig.attach(8, 1);
    rig.map_page(1, 5);
    assert!(rig.held(1).is_empty(), "another's mappings are not its own");
    assert_eq!(rig.message(16, 5 * PAGE), None);
}

#[test]
fn g5_a_request_cut_short_or_without_room_is_given_back_unwritten() {
    let mut rig = rig();
    let requests = [
        Request::Attach { domain: 1, endpoint: 8, flags: 0, reserved: 0 },
        Request::Detach { domain: 1, endpoint: 8 },
        Request::Map { domain: 1, virt_start: 0, virt_end: 0xfff, phys_start: 0, flags: 3 },
        Request::Unmap { domain: 1, virt_start: 0, virt_end: 0xfff, reserved: 0 },
        Request::Probe { endpoint: 8 },
    ];
    for request in requests {
        let whole = bytes(&request);
        let room = if matches!(request, Request::Probe { .. }) { PROBE_ROOM + 4 } else { 4 };
        for len in 1..whole.len() {
            let reply = rig.raw(&whole[..len], room);
            assert_eq!(reply.len, 0, "{request:?} of {len} bytes");
            assert!(reply.bytes.iter().all(|byte| *byte == 0xa5));
        }
        for less in 1..=room {
            let reply = rig.raw(&whole, room - less);
            assert_eq!(reply.len, 0, "{request:?} with {less} bytes missing for the answer");
            assert!(reply.bytes.iter().all(|byte| *byte == 0xa5));
        }
    }
    assert_eq!(rig.domain_of(8), None, "and nothing was carried out");
}

#[test]
fn g8_a_mapping_outside_the_input_range_is_refused() {
    let mut rig = rig();
    rig.attach(8, 1);
    let end = 1u64 << 39;
    for (first, last) in [(end, end + 0xfff), (end - PAGE, end + 0xfff), (0, u64::MAX), (end, u64::MAX)] {
        assert_eq!(rig.map(1, first, last, 0, 3), Status::Range, "{first:#x}-{last:#x}");
    }
    assert_eq!(rig.map(1, end - PAGE, end - 1, 0, 0), Status::Ok, "the last page is inside");
    assert!(rig.held(0).is_empty());
}
