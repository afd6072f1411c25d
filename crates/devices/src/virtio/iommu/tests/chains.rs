use std::time::Instant;

use virtio_iommu_spec::{Request, Status};

use super::rig::*;
use crate::virtio::VirtioDevice;
use crate::virtio::testkit::{RawDesc, SECOND};

const MAP: Request = Request::Map { domain: 1, virt_start: 0, virt_end: 0xfff, phys_start: 0, flags: 3 };

#[test]
fn framing_is_free() {
    let mut rig = rig();
    rig.attach(8, 1);
    for piece in [1usize, 3, 7, 36] {
        let queue = &mut rig.bench.queues[0];
        let sent =
            queue.chain().readable_in_pieces(&bytes(&MAP), piece).writable_in_pieces(4, piece as u32).send();
        queue.kick();
        let used = queue.wait(SECOND).unwrap();
        assert_eq!((used.len, queue.reply(&sent, used).bytes), (4, vec![0, 0, 0, 0]), "pieces of {piece}");
        assert_eq!(rig.unmap(1, 0, 0xfff), Status::Ok);
    }
}

#[test]
fn what_is_no_request_comes_back_unwritten() {
    let mut rig = rig();
    rig.attach(8, 1);
    let map = bytes(&MAP);
    let probe = bytes(&Request::Probe { endpoint: 8 });
    let mut unknown = map.clone();
    unknown[0] = 6;
    let cases: [(&str, &[u8], u32); 8] = [
        ("G2 unknown type", &unknown, 4),
        ("G5 three bytes", &map[..3], 4),
        ("G5 cut short", &map[..35], 4),
        ("G5 no room for the tail", &map, 3),
        ("G5 no writable part", &map, 0),
        ("G5 probe without room for properties", &probe, 4),
        ("G5 probe one byte short", &probe, PROBE_ROOM + 3),
        ("G5 probe cut short", &probe[..71], PROBE_ROOM + 4),
    ];
    for (name, request, room) in cases {
        let reply = rig.raw(request, room);
        assert_eq!(reply.len, 0, "{name}");
        assert!(reply.bytes.iter().all(|byte| *byte == 0xa5), "{name}: unwritten");
    }
    assert!(rig.hosts[0].mappings().is_empty(), "and nothing was carried out");
    assert_eq!(rig.device.handle().report().counters.unanswered, cases.len() as u64);
}

#[test]
fn a_larger_buffer_is_answered_at_its_start() {
    let mut rig = rig();
    rig.attach(8, 1);
    let reply = rig.raw(&bytes(&MAP), 100);
    assert_eq!((reply.len, &reply.bytes[..5]), (4, &[0, 0, 0, 0, 0xa5][..]));
}

#[test]
fn bad_addresses_and_order_carry_nothing_out() {
    let mut rig = rig();
    rig.attach(8, 1);
    let map = bytes(&MAP);
    let beyond = 1 << 40;
    for case in 0..4 {
        let queue = &mut rig.bench.queues[0];
        let chain = queue.chain();
        let chain = match case {
            0 => chain.part(beyond, 36, false).writable(4),
            1 => chain.readable(&map).part(beyond, 4, true),
            2 => chain.readable(&map).part(u64::MAX - 1, 4, true),
            _ => chain.writable(4).readable(&map).writable(4),
        };
        chain.send();
        queue.kick();
        assert_eq!(queue.wait(SECOND).map(|used| used.len), Some(0), "case {case}");
    }
    assert!(rig.hosts[0].mappings().is_empty());
}

#[test]
fn a_loop_in_the_table_ends_and_so_does_the_device() {
    let mut rig = rig();
    let queue = &mut rig.bench.queues[0];
    let at = queue.buffer(64);
    queue.raw(0, RawDesc { addr: at, len: 4, flags: RawDesc::NEXT, next: 1 });
    queue.raw(1, RawDesc { addr: at, len: 4, flags: RawDesc::NEXT, next: 0 });
    queue.publish(0);
    queue.kick();
    assert!(queue.wait(SECOND).is_some(), "it comes back");
    let begun = Instant::now();
    rig.device.reset();
    assert!(begun.elapsed() < SECOND, "stop() ends");
}

#[test]
fn an_available_index_out_of_range_latches_the_ring() {
    let mut rig = rig();
    rig.bench.queues[0].set_avail_index(5000);
    rig.bench.queues[0].kick();
    assert!(rig.bench.interrupt.wait_needs_reset(SECOND));
    let begun = Instant::now();
    rig.device.reset();
    assert!(begun.elapsed() < SECOND);
}
