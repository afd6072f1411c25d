//! Rings that lie outside the guest's memory, in part or in full: the driver is told, the thread ends when it should, and the next
//! driver finds a device that works.

use iommu_domain::testing::logged_lines;
use virtio_iommu_spec::Status;
use virtio_queue::QueueT;
use vm_memory::{Bytes, GuestAddress};

use super::rig::*;
use crate::virtio::testkit::SECOND;
use crate::virtio::{Activation, VirtioDevice};

const EVENT_IDX: u64 = 1 << 29;
/// First address after the kit's memory.
const END: u64 = 2 << 20;

enum Part {
    Used,
    Available,
}

/// Puts a part of a queue's ring elsewhere.
fn moved(activation: &mut Activation, queue: usize, part: Part, to: u64) {
    let queue = &mut activation.queues[queue].as_mut().unwrap().queue;
    let (low, high) = (Some(to as u32), Some((to >> 32) as u32));
    match part {
        Part::Used => queue.set_used_ring_address(low, high),
        Part::Available => queue.set_avail_ring_address(low, high),
    }
}

/// An available ring of 256 entries that offers its first descriptor.
fn offer_one(rig: &Rig, at: u64) {
    rig.bench.mem.write_slice(&[0, 0, 1, 0, 0, 0], GuestAddress(at)).unwrap();
}

#[test]
fn a_request_ring_outside_memory_needs_a_reset_and_no_more() {
    let used = 6 + 8 * 256;
    let available = 4 + 2 * 256;
    let cases = [
        ("used, all of it", 0, Part::Used, END),
        ("used, all of it, with event indexes", EVENT_IDX, Part::Used, END),
        ("used, its event index", EVENT_IDX, Part::Used, END - (used - 2)),
        ("available, its index", 0, Part::Available, END - 2),
        ("available, its event index", EVENT_IDX, Part::Available, END - available),
    ];
    for (name, features, part, to) in cases {
        let mut rig = rig_with(ALL_FEATURES | features);
        rig.device.reset();
        let mut activation = rig.bench.activation();
        if matches!(part, Part::Available) && to + available <= END {
            offer_one(&rig, to);
        }
        moved(&mut activation, 0, part, to);
        rig.device.activate(activation).unwrap();
        let queue = &mut rig.bench.queues[0];
        queue.chain().readable(&[0; 4]).writable(4).send();
        queue.kick();
        assert!(rig.bench.interrupt.wait_needs_reset(SECOND), "{name}");
        rig.device.reset();
        assert!(rig.hosts.iter().all(|host| host.mappings().is_empty()), "{name}");
    }
}

#[test]
fn an_event_ring_outside_memory_needs_a_reset_and_requests_were_served_until_then() {
    let mut rig = rig();
    rig.device.reset();
    let mut activation = rig.bench.activation();
    moved(&mut activation, 1, Part::Used, END);
    rig.device.activate(activation).unwrap();
    assert_eq!(rig.attach(8, 1), Status::Ok);
    rig.bench.queues[1].chain().writable(24).send();
    assert_eq!(rig.message(8, 0x5000), None, "and a fault is on its way");
    assert!(rig.bench.interrupt.wait_needs_reset(SECOND));
}

#[test]
fn without_a_request_queue_the_device_does_not_start() {
    let mut rig = rig();
    rig.device.reset();
    let mut activation = rig.bench.activation();
    activation.queues[0] = None;
    let refused = rig.device.activate(activation).unwrap_err();
    assert_eq!(refused.device, "virtio-iommu");
    assert!(refused.reason.contains("no request queue"), "{}", refused.reason);
}

#[test]
fn without_an_event_queue_faults_are_dropped_and_requests_served() {
    let mut rig = rig();
    rig.device.reset();
    let mut activation = rig.bench.activation();
    activation.queues[1] = None;
    rig.device.activate(activation).unwrap();
    assert_eq!(rig.attach(8, 1), Status::Ok);
    assert_eq!(rig.message(8, 0x5000), None);
    assert_eq!(rig.map_page(1, 5), Status::Ok);
    // The worker looks at faults between two requests at the latest.
    let dropped = |rig: &Rig| rig.device.handle().report().counters.events_dropped;
    let mut requests = 0;
    while dropped(&rig) == 0 && requests < 100_000 {
        assert_eq!(rig.unmap(1, 0, u64::MAX), Status::Ok);
        requests += 1;
    }
    assert_eq!(dropped(&rig), 1, "after {requests} requests");
}

#[test]
fn a_driver_that_gives_broken_rings_again_and_again_fills_no_log() {
    let mut rig = rig();
    rig.device.reset();
    let broken = |part: fn() -> Part, to| {
        logged_lines(|| {
            for _ in 0..100 {
                let mut activation = rig.bench.activation();
                moved(&mut activation, 0, part(), to);
                rig.device.serve_rings(activation).unwrap();
            }
        })
    };
    let lines = broken(|| Part::Used, END) + broken(|| Part::Available, END - 2);
    assert!((1..=8).contains(&lines), "{lines} lines of 200 broken rings");
}
